package consistency

import (
	"maps"
	"strings"
	"testing"
)

var roots = []string{
	"terraform", "helm", "compose.yaml", "deploy", "Dockerfile", "test_local.env.example",
	"internal/app/settings.go", "internal/transport/awssqs/queue.go",
}

func all(t *testing.T) files {
	t.Helper()
	f, err := read("../..", roots...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRules(t *testing.T) {
	t.Parallel()
	f := all(t)
	for _, r := range rules {
		if err := r.check(f); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
	}
}

// Each rule turns red when what it holds is changed.
func TestRulesConvict(t *testing.T) {
	t.Parallel()
	type change struct{ path, old, new string }
	changes := map[string]change{
		"SQS hides a message for a lease":                       {"internal/app/settings.go", `"BUTAKERO_LEASE_SECONDS", preset: "90"`, `"BUTAKERO_LEASE_SECONDS", preset: "60"`},
		"redrive after so many receives":                        {sqs, "= 20 ", "= 3 "},
		"retention of the queue":                                {sqs, "= 4 * 24", "= 1 * 24"},
		"retention of dead letters":                             {sqs, "= 14 * 24", "= 4 * 24"},
		"slots of a worker":                                     {values, "  slots: 4", "  slots: 8"},
		"a worker on ECS is killed after it has drained":        {"terraform/autoscaling.tf", "default     = 95", "default     = 120"},
		"a worker in a cluster is killed after it has drained":  {values, "drainSeconds: 600", "drainSeconds: 700"},
		"a worker of compose is killed after it has drained":    {compose, "stop_grace_period: 660s", "stop_grace_period: 10s"},
		"a worker in a cluster outlives an attempt":             {"internal/app/settings.go", `"SERVICE_TIMEOUT", preset: "10"`, `"SERVICE_TIMEOUT", preset: "30"`},
		"a worker of compose outlives an attempt":               {compose, "stop_grace_period: 660s", "stop_grace_period: 300s"},
		"compose and chart drain alike":                         {values, "drainSeconds: 600", "drainSeconds: 60"},
		"a lease outlasts the ring of a job that nobody claims": {"internal/app/settings.go", `"BUTAKERO_RING_SECONDS", preset: "30"`, `"BUTAKERO_RING_SECONDS", preset: "120"`},
		"most workers":                        {values, "maxReplicas: 20", "maxReplicas: 2"},
		"API's CPU":                           {values, "cpuPercent: 75", "cpuPercent: 50"},
		"port of the chart and of the images": {"Dockerfile", "EXPOSE 8080", "EXPOSE 8081"},
		"port of compose and of the images":   {compose, "BUTAKERO_LISTEN: 0.0.0.0:8080", "BUTAKERO_LISTEN: 0.0.0.0:8081"},
		"every setting that is named is one":  {compose, "BUTAKERO_DRAIN_SECONDS", "BUTAKERO_DRAINING_SECONDS"},
	}
	f := all(t)
	for _, r := range rules {
		c, ok := changes[r.name]
		if !ok || !strings.Contains(f[c.path], c.old) {
			t.Errorf("%s: nothing to change: %+v", r.name, c)
			continue
		}
		spoilt := maps.Clone(f)
		spoilt[c.path] = strings.ReplaceAll(f[c.path], c.old, c.new)
		if err := r.check(spoilt); err == nil {
			t.Errorf("%s: not convicted", r.name)
		}
	}
}
