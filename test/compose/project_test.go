package compose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// project is what docker compose config says, as far as it is checked here.
type project struct {
	Services map[string]*service
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]any
}

type service struct {
	Image       string
	User        string
	Build       *struct{ Target string }
	Profiles    []string
	Environment map[string]*string
	Ports       []port
	Volumes     []mount
	Networks    map[string]any
	NetworkMode string   `json:"network_mode"`
	ReadOnly    bool     `json:"read_only"`
	CapDrop     []string `json:"cap_drop"`
	CapAdd      []string `json:"cap_add"`
	SecurityOpt []string `json:"security_opt"`
	Privileged  bool
	Restart     string
	StopGrace   string                                `json:"stop_grace_period"`
	DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
	Command     []string
	Entrypoint  []string
}

type port struct {
	HostIP    string `json:"host_ip"`
	Published string
	Target    int
}

type mount struct {
	Type, Source, Target string
	ReadOnly             bool `json:"read_only"`
	Bind                 struct {
		CreateHostPath bool `json:"create_host_path"`
	}
}

func (s *service) value(name string) string {
	if v := s.Environment[name]; v != nil {
		return *v
	}
	return ""
}

// volume is the named volume at a place, or "".
func (s *service) volume(target string) string {
	for _, m := range s.Volumes {
		if m.Target == target && m.Type == "volume" {
			return m.Source
		}
	}
	return ""
}

const root = "../.."

// read has docker compose read the files of a folder, from another one.
func read(t *testing.T, folder string, files, profiles []string) (*project, error) {
	t.Helper()
	cache := os.Getenv("BUTAKERO_TEST_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(user, "butakero")
	}
	program := filepath.Join(cache, "bin", "docker-compose")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("docker compose is not there: bash scripts/setup.sh compose builds it (%v)", err)
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, f := range files {
		args = append(args, "-f", filepath.Join(folder, f))
	}
	for _, p := range profiles {
		args = append(args, "--profile", p)
	}
	cmd := exec.CommandContext(t.Context(), program, append(args, "config", "--format", "json")...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH")}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, &said)
	}
	if said.Len() > 0 {
		return nil, fmt.Errorf("docker compose warns: %s", &said)
	}
	p := new(project)
	return p, json.Unmarshal(out, p)
}

func must(t *testing.T, folder string, files, profiles []string) *project {
	t.Helper()
	p, err := read(t, folder, files, profiles)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var exact = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+\.\d+$`)

// keeps says which services have to keep what, where.
var keeps = map[string]string{
	"backend-application": "/data", "worker": "/data", "kafka": "/var/lib/kafka/data", "mongodb": "/data/db", "demo": "/data",
	"elasticmq": "/data", "dynamodb": "/data", "s3": "/data", "prometheus": "/prometheus", "grafana": "/var/lib/grafana",
	"zookeeper": "/var/lib/zookeeper/data",
}

var (
	apis     = []string{"backend-application", "backend-application-aws", "demo"}
	onlyOnce = []string{"mongodb-init", "cookies"}
)

// problems says what is wrong with a project, whichever profile it is.
func problems(p *project) (found []string) {
	for name, s := range p.Services {
		bad := func(format string, args ...any) {
			found = append(found, name+": "+fmt.Sprintf(format, args...))
		}
		for _, q := range s.Ports {
			if q.HostIP != "127.0.0.1" {
				bad("published beyond the machine itself, on %q", q.HostIP)
			}
		}
		if len(s.Ports) > 0 != slices.Contains(apis, name) {
			bad("published: %v", s.Ports)
		}
		if !slices.Contains(s.CapDrop, "ALL") || s.Privileged || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			bad("has rights to spare")
		}
		ours := strings.HasPrefix(s.Image, "butakero/")
		switch {
		case ours && (s.Build == nil || !s.ReadOnly):
			bad("is not built here, or its root can be written")
		case ours && s.User != "" && name != "cookies":
			bad("runs as %q, not as the image's user", s.User)
		case !ours && !exact.MatchString(s.Image):
			bad("the image %s is not pinned", s.Image)
		}
		if len(s.CapAdd) > 0 && name != "cookies" {
			bad("gets capabilities: %v", s.CapAdd)
		}
		if want := keeps[name]; want != "" && s.volume(want) == "" {
			bad("nothing keeps %s", want)
		}
		if want := map[bool]string{true: "no", false: "unless-stopped"}[slices.Contains(onlyOnce, name)]; s.Restart != want {
			bad("restart is %q, want %q", s.Restart, want)
		}
		for _, m := range s.Volumes {
			if m.Type != "bind" {
				continue
			}
			if !m.ReadOnly || m.Bind.CreateHostPath || strings.Contains(m.Source, "docker.sock") {
				bad("the mount of %s can be written, or is made when it is missing", m.Source)
			}
			if _, err := os.Stat(m.Source); err != nil && !ofTheChart(m.Source) {
				bad("mounts what is not there: %v", err)
			}
		}
		found = append(found, secretsIn(name, s)...)
		found = append(found, workerProblems(name, s)...)
		if name != "cookies" && s.NetworkMode == "host" || s.NetworkMode == "" && !ours && !p.Networks["inside"].Internal {
			bad("an engine has a way out")
		}
		for network := range s.Networks {
			if !ours && !p.Networks[network].Internal {
				bad("an engine is in the network %s, which leads out", network)
			}
		}
	}
	slices.Sort(found)
	return found
}

// ofTheChart tells of what comes with the chart, in a checkout that has none: compose
// reads all the same, and monitoring refuses to start.
func ofTheChart(source string) bool {
	_, err := os.Stat(filepath.Join(root, "helm"))
	return err != nil && strings.Contains(filepath.ToSlash(source), "/helm/butakero/")
}

// secretsIn says which settings a service gets that it has no use for.
func secretsIn(name string, s *service) (found []string) {
	if strings.HasPrefix(s.Image, "butakero/") && name != "cookies" || name == "mongodb-init" {
		return nil
	}
	for _, secret := range []string{"YOUTUBE_API_KEY", "MONGO_PASSWORD", "BUTAKERO_OPERATOR_TOKEN"} {
		if s.value(secret) != "" {
			found = append(found, name+": gets "+secret)
		}
	}
	return found
}

// workerProblems holds that no stop of a worker cuts a song off that may still be made.
func workerProblems(name string, s *service) (found []string) {
	if name != "worker" && name != "worker-aws" {
		return nil
	}
	grace, err := time.ParseDuration(s.StopGrace)
	if err != nil {
		return []string{name + ": grace period: " + err.Error()}
	}
	drain, err := time.ParseDuration(s.value("BUTAKERO_DRAIN_SECONDS") + "s")
	if err != nil {
		return []string{name + ": drain: " + err.Error()}
	}
	limit := 10 * time.Minute // the default of SERVICE_TIMEOUT
	if text := s.value("SERVICE_TIMEOUT"); text != "" {
		if limit, err = time.ParseDuration(text + "m"); err != nil {
			return []string{name + ": limit: " + err.Error()}
		}
	}
	if drain < limit || grace < drain+30*time.Second {
		found = append(found, fmt.Sprintf("%s: a song may take %s, a stop lets it go on for %s and kills after %s", name, limit, drain, grace))
	}
	return found
}
