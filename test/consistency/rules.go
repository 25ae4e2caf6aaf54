package consistency

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// files are the texts that say something about a deployment, by their path in the
// repository.
type files map[string]string

// read reads what lies below the roots.
func read(root string, roots ...string) (files, error) {
	all := files{}
	for _, from := range roots {
		err := filepath.WalkDir(filepath.Join(root, from), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(root, path)
			all[filepath.ToSlash(relative)] = string(text)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// number finds the first group of a pattern in a file.
func (f files) number(path, pattern string) (int, error) {
	m := regexp.MustCompile(pattern).FindStringSubmatch(f[path])
	if m == nil {
		return 0, fmt.Errorf("%s says nothing of %s", path, pattern)
	}
	return strconv.Atoi(m[1])
}

// preset is a setting's default.
func (f files) preset(name string) (int, error) {
	return f.number("internal/app/settings.go", `name: "`+name+`", preset: "(\d+)"`)
}

// variable is the default of a variable of Terraform.
func (f files) variable(name string) (int, error) {
	for path := range f {
		if strings.HasPrefix(path, "terraform/") && strings.Count(path, "/") == 1 {
			if n, err := f.number(path, `(?s)variable "`+name+`" \{[^}]*?default\s*=\s*(\d+)`); err == nil {
				return n, nil
			}
		}
	}
	return 0, fmt.Errorf("terraform has no variable %s with a number", name)
}

// A rule is something that must agree.
type rule struct {
	name  string
	check func(f files) error
}

func equal(name string, one, other func(f files) (int, error)) rule {
	return rule{name, func(f files) error {
		a, err := one(f)
		if err != nil {
			return err
		}
		b, err := other(f)
		if err == nil && a != b {
			err = fmt.Errorf("%d here and %d there", a, b)
		}
		return err
	}}
}

func longer(name string, long, short func(f files) (int, error)) rule {
	return rule{name, func(f files) error {
		a, err := long(f)
		if err != nil {
			return err
		}
		b, err := short(f)
		if err == nil && a <= b {
			err = fmt.Errorf("%d is not more than %d", a, b)
		}
		return err
	}}
}

func in(path, pattern string) func(files) (int, error) {
	return func(f files) (int, error) { return f.number(path, pattern) }
}

func preset(name string) func(files) (int, error) {
	return func(f files) (int, error) { return f.preset(name) }
}

func variable(name string) func(files) (int, error) {
	return func(f files) (int, error) { return f.variable(name) }
}

func times(n int, of func(files) (int, error)) func(files) (int, error) {
	return func(f files) (int, error) {
		v, err := of(f)
		return n * v, err
	}
}

const (
	sqs     = "internal/transport/awssqs/queue.go"
	values  = "helm/butakero/values.yaml"
	compose = "compose.yaml"
)

var rules = []rule{
	equal("SQS hides a message for a lease", variable("lease_seconds"), preset("BUTAKERO_LEASE_SECONDS")),
	equal("redrive after so many receives", variable("queue_max_receives"), in(sqs, `maxReceives\s*= (\d+)`)),
	equal("retention of the queue", variable("queue_retention_seconds"), times(86_400, in(sqs, `retention\s*= (\d+) \* 24`))),
	equal("retention of dead letters", variable("dead_letter_retention_seconds"), times(86_400, in(sqs, `deadFor\s*= (\d+) \* 24`))),
	equal("slots of a worker", variable("worker_slots"), in(values, `(?m)^  slots: (\d+)`)),
	longer("a worker on ECS is killed after it has drained", variable("worker_stop_timeout"), variable("worker_drain_seconds")),
	longer("a worker in a cluster is killed after it has drained", in(values, `(?s)worker:.*?terminationGracePeriodSeconds: (\d+)`), in(values, `drainSeconds: (\d+)`)),
	longer("a worker of compose is killed after it has drained", in(compose, `(?s)x-worker:.*?stop_grace_period: (\d+)s`), in(compose, `BUTAKERO_DRAIN_SECONDS: "(\d+)"`)),
	longer("a worker in a cluster outlives an attempt", in(values, `(?s)worker:.*?terminationGracePeriodSeconds: (\d+)`), times(60, preset("SERVICE_TIMEOUT"))),
	longer("a worker of compose outlives an attempt", in(compose, `(?s)x-worker:.*?stop_grace_period: (\d+)s`), times(60, preset("SERVICE_TIMEOUT"))),
	equal("compose and chart drain alike", in(compose, `BUTAKERO_DRAIN_SECONDS: "(\d+)"`), in(values, `drainSeconds: (\d+)`)),
	longer("a lease outlasts the ring of a job that nobody claims", preset("BUTAKERO_LEASE_SECONDS"), preset("BUTAKERO_RING_SECONDS")),
	equal("most workers", variable("worker_max_tasks"), in(values, `(?s)  worker:\n    # -- Needs KEDA.*?maxReplicas: (\d+)`)),
	equal("API's CPU", variable("api_cpu_target"), in(values, `cpuPercent: (\d+)`)),
	equal("port of the chart and of the images", in("helm/butakero/templates/config.yaml", `BUTAKERO_LISTEN: "0\.0\.0\.0:(\d+)"`), in("Dockerfile", `EXPOSE (\d+)`)),
	equal("port of compose and of the images", in(compose, `BUTAKERO_LISTEN: 0\.0\.0\.0:(\d+)`), in("Dockerfile", `EXPOSE (\d+)`)),
	{"every setting that is named is one", settingsExist},
}

var (
	settingDefined = regexp.MustCompile(`name: "([A-Z][A-Z0-9_]+)"`)
	settingNamed   = regexp.MustCompile(`\b(?:BUTAKERO|DYNAMODB_TABLE)_[A-Z0-9_]+\b`)
)

// ours are names of the deployments themselves: what fills in compose.yaml, the shell
// and the tests.
var ours = map[string]bool{"BUTAKERO_VERSION": true, "BUTAKERO_COMMIT": true}

func settingsExist(f files) error {
	known := map[string]bool{}
	for _, m := range settingDefined.FindAllStringSubmatch(f["internal/app/settings.go"], -1) {
		known[m[1]] = true
	}
	if len(known) < 50 {
		return fmt.Errorf("only %d settings were found", len(known))
	}
	var unknown []string
	for path, text := range f {
		if strings.HasPrefix(path, "internal/") || strings.HasSuffix(path, ".go") || strings.Contains(path, "BUTAKERO_TEST") {
			continue
		}
		for _, name := range settingNamed.FindAllString(text, -1) {
			if !known[name] && !ours[name] && !strings.HasSuffix(name, "_") {
				unknown = append(unknown, path+": "+name)
			}
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("nobody knows %s", strings.Join(unknown, ", "))
	}
	return nil
}
