package plancheck

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// container is a definition of one, with every name that we use: another one is a
// misspelt one, which AWS would leave out without a word.
type container struct {
	Name                   string         `json:"name"`
	Image                  string         `json:"image"`
	Essential              bool           `json:"essential"`
	ReadonlyRootFilesystem bool           `json:"readonlyRootFilesystem"`
	StopTimeout            int            `json:"stopTimeout"`
	LinuxParameters        map[string]any `json:"linuxParameters"`
	PortMappings           []struct {
		ContainerPort int
		Protocol      string
	} `json:"portMappings"`
	MountPoints []struct {
		SourceVolume, ContainerPath string
		ReadOnly                    bool
	} `json:"mountPoints"`
	Environment []struct{ Name, Value string }     `json:"environment"`
	Secrets     []struct{ Name, ValueFrom string } `json:"secrets"`
	HealthCheck *struct {
		Command                                 []string
		Interval, Timeout, Retries, StartPeriod int
	} `json:"healthCheck"`
	DependsOn        []struct{ ContainerName, Condition string } `json:"dependsOn"`
	LogConfiguration *struct {
		LogDriver string
		Options   map[string]string
	} `json:"logConfiguration"`
	RestartPolicy map[string]any `json:"restartPolicy"`
	EntryPoint    []string       `json:"entryPoint"`
	Command       []string       `json:"command"`
}

// memories are what Fargate takes, in MiB, by CPU: from, to, step.
var memories = map[int][3]int{
	512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024}, 4096: {8192, 30720, 1024},
}

var secretNames = []string{"YOUTUBE_API_KEY", "BUTAKERO_OPERATOR_TOKEN", "BUTAKERO_YOUTUBE_PROXY", "YT_COOKIES", "MONGO_PASSWORD", "BUTAKERO_MONGO_URI", "BUTAKERO_KAFKA_SASL_PASSWORD"}

func task(r Resource, _ []Resource, report reporter) {
	cpu, _ := strconv.Atoi(r.text("cpu"))
	memory, _ := strconv.Atoi(r.text("memory"))
	pair, ok := memories[cpu]
	if cpu == 256 {
		ok = slices.Contains([]int{512, 1024, 2048}, memory)
	} else if ok {
		ok = memory >= pair[0] && memory <= pair[1] && memory%pair[2] == 0
	}
	if !ok {
		report("Fargate has no task of %d CPU units and %d MiB", cpu, memory)
	}
	if r.text("execution_role_arn") == "" || r.text("task_role_arn") == "" {
		report("a task without one of its roles")
	}
	decoder := json.NewDecoder(strings.NewReader(r.text("container_definitions")))
	decoder.DisallowUnknownFields()
	var containers []container
	if err := decoder.Decode(&containers); err != nil {
		report("container_definitions: %v", err)
		return
	}
	var volumes []string
	for _, v := range blocks(r.Values["volume"]) {
		name, _ := v["name"].(string)
		volumes = append(volumes, name)
	}
	essential := false
	for _, c := range containers {
		essential = essential || c.Essential
		c.check(containers, volumes, func(format string, args ...any) { report("container "+c.Name+": "+format, args...) })
	}
	if !essential {
		report("no container is essential")
	}
}

func (c container) check(all []container, volumes []string, report reporter) {
	if !c.ReadonlyRootFilesystem {
		report("its root file system can be written")
	}
	if c.StopTimeout > 120 {
		report("stopTimeout %d: Fargate kills after 120 s", c.StopTimeout)
	}
	if c.Essential && c.StopTimeout < 30 {
		report("stopTimeout %d leaves no time to hand songs back", c.StopTimeout)
	}
	if c.Essential && (c.HealthCheck == nil || len(c.HealthCheck.Command) < 2 || c.HealthCheck.Command[0] != "CMD") {
		report("no health check that works without a shell")
	}
	if strings.HasSuffix(c.Image, ":latest") || !strings.Contains(c.Image, ":") {
		report("image %s is not pinned", c.Image)
	}
	if c.LogConfiguration == nil || c.LogConfiguration.LogDriver != "awslogs" || c.LogConfiguration.Options["awslogs-group"] == "" {
		report("its logs go nowhere")
	}
	for _, e := range c.Environment {
		if slices.Contains(secretNames, e.Name) {
			report("the secret %s is in the environment in plain text", e.Name)
		}
		if e.Name == "BUTAKERO_DRAIN_SECONDS" {
			if n, err := strconv.Atoi(e.Value); err != nil || n+20 > c.StopTimeout {
				report("drains for %s s and is killed after %d", e.Value, c.StopTimeout)
			}
		}
	}
	for _, s := range c.Secrets {
		if !strings.HasPrefix(s.ValueFrom, "arn:") {
			report("secret %s comes from %q", s.Name, s.ValueFrom)
		}
	}
	for _, m := range c.MountPoints {
		if !slices.Contains(volumes, m.SourceVolume) {
			report("mounts the volume %s, which there is not", m.SourceVolume)
		}
	}
	for _, d := range c.DependsOn {
		at := slices.IndexFunc(all, func(o container) bool { return o.Name == d.ContainerName })
		if at < 0 {
			report("waits for the container %s, which there is not", d.ContainerName)
		} else if d.Condition == "SUCCESS" && all[at].Essential {
			report("waits for the end of %s, whose end would stop the task", d.ContainerName)
		}
	}
}

func service(r Resource, all []Resource, report reporter) {
	for _, n := range blocks(r.Values["network_configuration"]) {
		if n["assign_public_ip"] == true {
			report("its tasks have public addresses")
		}
	}
	if b := blocks(r.Values["deployment_circuit_breaker"]); len(b) != 1 || b[0]["enable"] != true || b[0]["rollback"] != true {
		report("a deployment that fails is not rolled back")
	}
	for _, t := range of(all, "aws_ecs_task_definition") {
		if t.text("arn") != r.text("task_definition") {
			continue
		}
		for _, l := range blocks(r.Values["load_balancer"]) {
			var containers []container
			_ = json.Unmarshal([]byte(t.text("container_definitions")), &containers) // told elsewhere
			if !slices.ContainsFunc(containers, func(c container) bool {
				return c.Name == l["container_name"] && slices.ContainsFunc(c.PortMappings, func(p struct {
					ContainerPort int
					Protocol      string
				}) bool {
					return float64(p.ContainerPort) == l["container_port"]
				})
			}) {
				report("the load balancer asks container %v for port %v, which it has not", l["container_name"], l["container_port"])
			}
		}
	}
}
