package plancheck

import (
	"regexp"
	"slices"
	"strings"
)

// published are the metrics of AWS that we look at, by namespace. Our own begin with
// butakero_ and are compared with the program's by the tests.
var published = map[string][]string{
	"AWS/SQS":               {"ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed", "ApproximateAgeOfOldestMessage"},
	"ECS/ContainerInsights": {"RunningTaskCount", "DesiredTaskCount", "PendingTaskCount"},
	"AWS/ECS":               {"CPUUtilization", "MemoryUtilization"},
	"AWS/ApplicationELB":    {"HealthyHostCount", "HTTPCode_Target_5XX_Count", "RequestCount", "TargetResponseTime", "RequestCountPerTarget"},
	"AWS/DynamoDB":          {"ConsumedWriteCapacityUnits", "WriteThrottleEvents"},
}

func isPublished(namespace, metric string) bool {
	if namespace == "Butakero" {
		return strings.HasPrefix(metric, "butakero_")
	}
	return slices.Contains(published[namespace], metric)
}

func bounds(r Resource, _ []Resource, report reporter) {
	least, _ := r.number("min_capacity")
	most, _ := r.number("max_capacity")
	if most < least || most < 1 {
		report("scales from %g to %g", least, most)
	}
}

func scaling(r Resource, all []Resource, report reporter) {
	targets := blocks(r.Values["target_tracking_scaling_policy_configuration"])
	steps := blocks(r.Values["step_scaling_policy_configuration"])
	switch r.text("policy_type") {
	case "TargetTrackingScaling":
		if len(targets) != 1 || len(steps) != 0 {
			report("a target to track needs its own configuration, and no other")
			return
		}
		predefined, custom := blocks(targets[0]["predefined_metric_specification"]), blocks(targets[0]["customized_metric_specification"])
		if len(predefined)+len(custom) != 1 {
			report("%d metrics to track", len(predefined)+len(custom))
		}
		if n, _ := targets[0]["target_value"].(float64); n <= 0 {
			report("target_value is %g", n)
		}
		for _, p := range predefined {
			label, _ := p["resource_label"].(string)
			if p["predefined_metric_type"] == "ALBRequestCountPerTarget" && !regexp.MustCompile(`^app/[^/]+/[^/]+/targetgroup/[^/]+/[^/]+$`).MatchString(label) {
				report("resource_label is %q", label)
			}
		}
		for _, c := range custom {
			mathematics(blocks(c["metrics"]), "metric_stat", report)
		}
	case "StepScaling":
		if len(steps) != 1 || len(targets) != 0 {
			report("steps need their own configuration, and no other")
			return
		}
		stairs(blocks(steps[0]["step_adjustment"]), report)
		if !slices.ContainsFunc(of(all, "aws_cloudwatch_metric_alarm"), func(a Resource) bool {
			return slices.Contains(texts(a.Values["alarm_actions"]), r.text("arn"))
		}) {
			report("no alarm takes these steps")
		}
	}
}

// stairs wants each step to begin where the one before ends.
func stairs(steps []map[string]any, report reporter) {
	if len(steps) == 0 {
		report("no steps")
	}
	ends := map[any]bool{}
	for _, s := range steps {
		ends[s["metric_interval_upper_bound"]] = true
	}
	open := 0
	for _, s := range steps {
		upper, bounded := s["metric_interval_upper_bound"].(string)
		lower, _ := s["metric_interval_lower_bound"].(string)
		if !bounded || upper == "" {
			open++
		}
		if lower != "0" && !ends[lower] {
			report("no step ends at %s, where one begins", lower)
		}
	}
	if open != 1 {
		report("%d steps have no upper end", open)
	}
}

var word = regexp.MustCompile(`\b[a-z]\w*\b`)

// mathematics checks an expression over metrics: names that there are, one result.
func mathematics(queries []map[string]any, stat string, report reporter) {
	ids, results := map[string]bool{}, 0
	for _, q := range queries {
		id, _ := q["id"].(string)
		ids[id] = true
		if q["return_data"] == true {
			results++
		}
		if !regexp.MustCompile(`^[a-z][A-Za-z0-9_]*$`).MatchString(id) {
			report("the id %q does not begin with a small letter", id)
		}
	}
	if results != 1 {
		report("%d results of metric math, not one", results)
	}
	for _, q := range queries {
		expression, _ := q["expression"].(string)
		for _, name := range word.FindAllString(expression, -1) {
			if !ids[name] {
				report("the expression uses %s, which is no metric", name)
			}
		}
		for _, s := range blocks(q[stat]) {
			metrics := blocks(s["metric"])
			if stat == "metric" {
				metrics = []map[string]any{s}
			}
			for _, m := range metrics {
				namespace, _ := m["namespace"].(string)
				name, _ := m["metric_name"].(string)
				if !isPublished(namespace, name) {
					report("nobody publishes %s %s", namespace, name)
				}
			}
		}
	}
}

func alarm(r Resource, _ []Resource, report reporter) {
	queries := blocks(r.Values["metric_query"])
	if len(queries) > 0 {
		mathematics(queries, "metric", report)
	} else if !isPublished(r.text("namespace"), r.text("metric_name")) {
		report("nobody publishes %s %s", r.text("namespace"), r.text("metric_name"))
	}
	periods, _ := r.number("evaluation_periods")
	if n, ok := r.number("datapoints_to_alarm"); ok && len(queries) == 0 && n > periods {
		report("wants %g data out of %g", n, periods)
	}
	if n, ok := r.number("period"); ok && len(queries) == 0 && (n < 60 || int(n)%60 != 0) {
		report("period is %g", n)
	}
}
