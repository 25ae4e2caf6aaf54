package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/app"
)

var (
	plain = []string{"compose.yaml"}
	basic = []string{"backend-application", "cookies", "kafka", "mongodb", "mongodb-init", "worker"}
)

func names(p *project) (all []string) {
	for name := range p.Services {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func with(more ...string) []string {
	all := append(slices.Clone(basic), more...)
	slices.Sort(all)
	return all
}

// Every profile and overlay is what the documentation says, with and without the file of
// settings, and read from any folder.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files, profiles []string
		want            []string
	}{
		"default":    {plain, nil, basic},
		"demo":       {plain, []string{"demo"}, with("demo")},
		"aws":        {plain, []string{"aws"}, with("backend-application-aws", "worker-aws", "elasticmq", "dynamodb", "s3")},
		"monitoring": {plain, []string{"monitoring"}, with("prometheus", "grafana")},
		"all": {
			plain, []string{"demo", "aws", "monitoring"},
			with("demo", "backend-application-aws", "worker-aws", "elasticmq", "dynamodb", "s3", "prometheus", "grafana"),
		},
		"zookeeper": {[]string{"compose.yaml", "compose.zookeeper.yaml"}, nil, with("zookeeper")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := must(t, root, c.files, c.profiles)
			if got := names(p); !slices.Equal(got, c.want) {
				t.Errorf("services %q, want %q", got, c.want)
			}
			if g := p.Services["grafana"]; g != nil && slices.ContainsFunc(g.Volumes, func(m mount) bool { return ofTheChart(m.Source) }) {
				t.Log("WARNING: dashboards and rules were not looked for: there is no chart in this checkout")
			}
			if found := problems(p); len(found) > 0 {
				t.Errorf("%s", strings.Join(found, "\n"))
			}
		})
	}
}

// The only thing that the overlay for Grafana changes is that it is published, on the
// machine itself.
func TestGrafanaOverlay(t *testing.T) {
	t.Parallel()
	p := must(t, root, []string{"compose.yaml", "compose.grafana.yaml"}, []string{"monitoring"})
	if got := p.Services["grafana"].Ports; len(got) != 1 || got[0].HostIP != "127.0.0.1" || got[0].Target != 3000 {
		t.Errorf("%+v", got)
	}
	for name, s := range p.Services {
		if s.Ports != nil && name != "grafana" && name != "backend-application" {
			t.Errorf("%s is published too", name)
		}
	}
	if g := p.Services["grafana"]; g.value("GF_AUTH_ANONYMOUS_ORG_ROLE") != "Viewer" || g.value("GF_AUTH_BASIC_ENABLED") != "false" {
		t.Error("whoever reaches Grafana may change it")
	}
}

// The names that the original's commands use are services.
func TestNamesOfTheOriginal(t *testing.T) {
	t.Parallel()
	p := must(t, root, plain, nil)
	if q := p.Services["backend-application"].Ports; len(q) != 1 || q[0].Published != "8080" {
		t.Errorf("the API is published as %+v", q)
	}
	for _, name := range []string{"kafka", "mongodb"} {
		if p.Services[name] == nil {
			t.Errorf("there is no service %s", name)
		}
	}
	zookeeper := must(t, root, []string{"compose.yaml", "compose.zookeeper.yaml"}, nil)
	k := zookeeper.Services["kafka"]
	if k.value("KAFKA_ZOOKEEPER_CONNECT") == "" || k.value("KAFKA_PROCESS_ROLES") != "" || k.volume("/var/lib/kafka/data") == p.Services["kafka"].volume("/var/lib/kafka/data") {
		t.Errorf("Kafka with ZooKeeper has what is left of Kafka without: %v", names(zookeeper))
	}
}

// folder is a copy of what compose reads, with a file of settings.
func folder(t *testing.T, settings string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"compose.yaml", "compose.zookeeper.yaml", "compose.grafana.yaml", "deploy/compose"} {
		path := filepath.Join(root, name)
		if info, err := os.Stat(path); err != nil {
			t.Fatal(err)
		} else if info.IsDir() {
			if err := os.CopyFS(filepath.Join(to, name), os.DirFS(path)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(settings)
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "test_local.env"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// settingsOf has Butakero read what a service gets, as it would in the container.
func settingsOf(t *testing.T, s *service) *app.Config {
	t.Helper()
	var environ []string
	for name := range s.Environment {
		environ = append(environ, name+"="+s.value(name))
	}
	c, err := app.Load(environ, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The original's test_local.env works as it is: each of its lines arrives, and Butakero
// makes of them what the original was.
func TestOriginalSettings(t *testing.T) {
	t.Parallel()
	p := must(t, folder(t, "testdata/test_local.env"), plain, nil)
	for _, name := range []string{"backend-application", "worker"} {
		s := p.Services[name]
		c := settingsOf(t, s)
		if c.Queue != "kafka" || c.Store != "mongodb" || c.Blob != "local" || c.MaxAttempts != 7 || c.Attempt.Minutes() != 2 ||
			c.YouTube.APIKey != "TU_API_KEY_AQUI" || c.Kafka.EventsTopic != "notification" || c.Events != "kafka" ||
			c.Mongo.User != "root" || c.Mongo.Password != "root" || c.Mongo.Host != "mongodb" || c.Mongo.ReplicaSet != "rs0" ||
			!slices.Equal(c.Kafka.Brokers, []string{"kafka:29092"}) {
			t.Errorf("%s: %+v", name, c)
		}
		// The image's folder is /, so that this is below the volume.
		if c.LocalStoragePath != "data/audio-files" || s.volume("/data") != "songs" {
			t.Errorf("%s: songs go to %s, the volume is %q", name, c.LocalStoragePath, s.volume("/data"))
		}
		// The one line that can not hold: that folder is root's alone, and nobody is root here.
		if s.value("COOKIES_YOUTUBE") != "/run/cookies/yt-cookies.txt" || s.volume("/run/cookies") != "cookies" {
			t.Errorf("%s: cookies at %s", name, s.value("COOKIES_YOUTUBE"))
		}
	}
	if found := workerProblems("worker", p.Services["worker"]); found != nil {
		t.Error(found)
	}
	kafka := p.Services["kafka"]
	if kafka.value("KAFKA_ADVERTISED_LISTENERS") != "PLAINTEXT://kafka:29092" || kafka.value("KAFKA_BROKERS") != "" {
		t.Error("Kafka is not where the file says")
	}
	if got := p.Services["mongodb-init"].value("MONGO_PASSWORD"); got != "root" {
		t.Errorf("MongoDB's user is made with %q", got)
	}
	without, example := must(t, folder(t, "/dev/null"), plain, nil), must(t, folder(t, filepath.Join(root, "test_local.env.example")), plain, nil)
	for what, p := range map[string]*project{"no file": without, "test_local.env.example": example} {
		if c := settingsOf(t, p.Services["worker"]); c.Queue != "kafka" || c.Store != "mongodb" || c.Mongo.User != "root" {
			t.Errorf("%s: %+v", what, c)
		}
	}
}

// The stand-ins for AWS win over a file that says local, and take its key.
func TestAWSSettings(t *testing.T) {
	t.Parallel()
	p := must(t, folder(t, "testdata/test_local.env"), plain, []string{"aws"})
	for _, name := range []string{"backend-application-aws", "worker-aws"} {
		c := settingsOf(t, p.Services[name])
		if c.Queue != "sqs" || c.Store != "dynamodb" || c.Blob != "s3" || c.Events != "sqs" || c.YouTube.APIKey != "TU_API_KEY_AQUI" {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// The demo needs nothing: no key, no file, no engine.
func TestDemoSettings(t *testing.T) {
	t.Parallel()
	s := must(t, folder(t, "testdata/test_local.env"), plain, []string{"demo"}).Services["demo"]
	if len(s.DependsOn) > 0 || s.value("YOUTUBE_API_KEY") != "" {
		t.Errorf("the demo needs %v and has a key: %q", s.DependsOn, s.value("YOUTUBE_API_KEY"))
	}
	if c := settingsOf(t, s); c.Source != "demo" || c.Queue != "sqlite" || c.Store != "sqlite" {
		t.Errorf("%+v", c)
	}
}

// Each mistake that the original made, or that is made easily, is found.
func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	for want, plant := range map[string]func(p *project){
		"kafka: published":                       func(p *project) { p.Services["kafka"].Ports = []port{{"127.0.0.1", "29092", 29092}} },
		"published beyond":                       func(p *project) { p.Services["backend-application"].Ports[0].HostIP = "" },
		"backend-application: published: []":     func(p *project) { p.Services["backend-application"].Ports = nil },
		"kafka: nothing keeps":                   func(p *project) { p.Services["kafka"].Volumes = nil },
		"mongodb: nothing keeps":                 func(p *project) { p.Services["mongodb"].Volumes[0].Type = "tmpfs" },
		"kafka: the image apache/kafka:latest":   func(p *project) { p.Services["kafka"].Image = "apache/kafka:latest" },
		"mongodb: the image mongo:8 ":            func(p *project) { p.Services["mongodb"].Image = "mongo:8" },
		"worker: has rights to spare":            func(p *project) { p.Services["worker"].CapDrop = nil },
		"mongodb: has rights to spare":           func(p *project) { p.Services["mongodb"].Privileged = true },
		"worker: is not built here, or its root": func(p *project) { p.Services["worker"].ReadOnly = false },
		"worker: runs as":                        func(p *project) { p.Services["worker"].User = "0:0" },
		"worker: gets capabilities":              func(p *project) { p.Services["worker"].CapAdd = []string{"SYS_ADMIN"} },
		"worker: a song may take 10m0s":          func(p *project) { p.Services["worker"].StopGrace = "30s" },
		"worker: a song may take 12m0s":          func(p *project) { setting(p, "worker", "SERVICE_TIMEOUT", "12") },
		"mongodb: gets YOUTUBE_API_KEY":          func(p *project) { setting(p, "mongodb", "YOUTUBE_API_KEY", "k") },
		"worker: restart is":                     func(p *project) { p.Services["worker"].Restart = "no" },
		"kafka: an engine is in the network":     func(p *project) { p.Services["kafka"].Networks["outside"] = nil },
		"mongodb: mounts what is not there":      func(p *project) { bound(p, "mongodb").Source = "/no/such/init.sh" },
		"mongodb: the mount of":                  func(p *project) { bound(p, "mongodb").Bind.CreateHostPath = true },
	} {
		p := must(t, root, plain, nil)
		setting(p, "worker", "SERVICE_TIMEOUT", "10")
		plant(p)
		if found := strings.Join(problems(p), "\n"); !strings.Contains(found, want) {
			t.Errorf("%q is not found, but %q", want, found)
		}
	}
}

func setting(p *project, service, name, value string) {
	if p.Services[service].Environment == nil {
		p.Services[service].Environment = map[string]*string{}
	}
	p.Services[service].Environment[name] = &value
}

func bound(p *project, service string) *mount {
	s := p.Services[service]
	return &s.Volumes[slices.IndexFunc(s.Volumes, func(m mount) bool { return m.Type == "bind" })]
}
