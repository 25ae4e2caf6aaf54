// Package plancheck looks in a state or plan of Terraform, as terraform show -json
// prints it, for what a schema can not tell: values and ranges that AWS would refuse,
// rights that are too wide or that no service has, doors that are open, queues without
// a redrive policy, metrics that nobody publishes.
package plancheck

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Resource is one that is managed, with its values.
type Resource struct {
	Address string         `json:"address"`
	Mode    string         `json:"mode"`
	Type    string         `json:"type"`
	Values  map[string]any `json:"values"`
}

type module struct {
	Resources []Resource `json:"resources"`
	Children  []module   `json:"child_modules"`
}

// Read reads the resources of a state, or those that a plan would make.
func Read(shown []byte) ([]Resource, error) {
	type values struct {
		Root module `json:"root_module"`
	}
	var in struct {
		State   *values `json:"values"`
		Planned *values `json:"planned_values"`
	}
	if err := json.Unmarshal(shown, &in); err != nil {
		return nil, err
	}
	if in.State == nil {
		in.State = in.Planned
	}
	if in.State == nil {
		return nil, fmt.Errorf("neither a state nor a plan: %.100s", shown)
	}
	var all []Resource
	var collect func(module)
	collect = func(m module) {
		for _, r := range m.Resources {
			if r.Mode == "managed" {
				all = append(all, r)
			}
		}
		for _, child := range m.Children {
			collect(child)
		}
	}
	collect(in.State.Root)
	return all, nil
}

// Findings is what is wrong, in the order of the resources; empty when nothing is.
func Findings(resources []Resource) []string {
	var found []string
	for _, r := range resources {
		report := func(format string, args ...any) {
			found = append(found, r.Address+": "+fmt.Sprintf(format, args...))
		}
		enumerations(r, report)
		ranges(r, report)
		if check := checks[r.Type]; check != nil {
			check(r, resources, report)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

type reporter func(format string, args ...any)

// checks are what one type needs beyond its values.
var checks = map[string]func(Resource, []Resource, reporter){
	"aws_dynamodb_table":                    table,
	"aws_sqs_queue":                         queue,
	"aws_ecs_task_definition":               task,
	"aws_ecs_service":                       service,
	"aws_iam_role_policy":                   rights,
	"aws_iam_role":                          trust,
	"aws_vpc_security_group_ingress_rule":   door,
	"aws_appautoscaling_policy":             scaling,
	"aws_appautoscaling_target":             bounds,
	"aws_cloudwatch_metric_alarm":           alarm,
	"aws_s3_bucket_lifecycle_configuration": lifecycle,
	"aws_s3_bucket_public_access_block":     private,
	"aws_secretsmanager_secret_version":     inState,
	"aws_lb":                                balancer,
	"aws_lb_listener":                       listener,
}

// Members of what JSON gave.

func (r Resource) text(name string) string { s, _ := r.Values[name].(string); return s }

func (r Resource) number(name string) (float64, bool) {
	n, ok := r.Values[name].(float64)
	return n, ok
}

func blocks(v any) (all []map[string]any) {
	elements, _ := v.([]any)
	for _, e := range elements {
		if m, ok := e.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				all = append(all, s)
			}
		}
	}
	return all
}

func of(resources []Resource, kind string) (all []Resource) {
	for _, r := range resources {
		if r.Type == kind {
			all = append(all, r)
		}
	}
	return all
}
