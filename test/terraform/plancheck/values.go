package plancheck

import (
	"regexp"
	"slices"
	"strings"
)

// allowed are the values that AWS takes, by type and path of the attribute.
var allowed = map[string][]string{
	"aws_dynamodb_table.billing_mode":                                                     {"PAY_PER_REQUEST", "PROVISIONED"},
	"aws_dynamodb_table.attribute.type":                                                   {"S", "N", "B"},
	"aws_dynamodb_table.global_secondary_index.projection_type":                           {"ALL", "INCLUDE", "KEYS_ONLY"},
	"aws_dynamodb_table.local_secondary_index.projection_type":                            {"ALL", "INCLUDE", "KEYS_ONLY"},
	"aws_ecr_repository.image_tag_mutability":                                             {"IMMUTABLE"}, // MUTABLE is one of AWS's, and none of ours
	"aws_ecr_repository.encryption_configuration.encryption_type":                         {"AES256", "KMS"},
	"aws_ecs_cluster.setting.name":                                                        {"containerInsights"},
	"aws_ecs_cluster.setting.value":                                                       {"enabled", "enhanced"},
	"aws_ecs_task_definition.network_mode":                                                {"awsvpc"},
	"aws_ecs_task_definition.requires_compatibilities":                                    {"FARGATE"},
	"aws_ecs_task_definition.runtime_platform.cpu_architecture":                           {"ARM64", "X86_64"},
	"aws_ecs_task_definition.runtime_platform.operating_system_family":                    {"LINUX"},
	"aws_ecs_service.capacity_provider_strategy.capacity_provider":                        {"FARGATE", "FARGATE_SPOT"},
	"aws_ecs_service.propagate_tags":                                                      {"SERVICE", "TASK_DEFINITION"},
	"aws_appautoscaling_target.service_namespace":                                         {"ecs"},
	"aws_appautoscaling_target.scalable_dimension":                                        {"ecs:service:DesiredCount"},
	"aws_appautoscaling_policy.policy_type":                                               {"TargetTrackingScaling", "StepScaling"},
	"aws_appautoscaling_policy.step_scaling_policy_configuration.adjustment_type":         {"ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"},
	"aws_appautoscaling_policy.step_scaling_policy_configuration.metric_aggregation_type": {"Average", "Minimum", "Maximum"},
	"aws_appautoscaling_policy.target_tracking_scaling_policy_configuration.predefined_metric_specification.predefined_metric_type": {
		"ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization", "ALBRequestCountPerTarget",
	},
	"aws_cloudwatch_metric_alarm.comparison_operator":                                                               {"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"},
	"aws_cloudwatch_metric_alarm.statistic":                                                                         {"Average", "Sum", "Minimum", "Maximum", "SampleCount"},
	"aws_cloudwatch_metric_alarm.treat_missing_data":                                                                {"breaching", "notBreaching", "ignore", "missing"},
	"aws_s3_bucket_ownership_controls.rule.object_ownership":                                                        {"BucketOwnerEnforced"},
	"aws_s3_bucket_server_side_encryption_configuration.rule.apply_server_side_encryption_by_default.sse_algorithm": {"AES256", "aws:kms"},
	"aws_s3_bucket_versioning.versioning_configuration.status":                                                      {"Enabled", "Suspended"},
	"aws_s3_bucket_lifecycle_configuration.rule.status":                                                             {"Enabled", "Disabled"},
	"aws_vpc_endpoint.vpc_endpoint_type":                                                                            {"Gateway", "Interface"},
	"aws_flow_log.traffic_type":                                                                                     {"REJECT", "ALL", "ACCEPT"},
	"aws_eip.domain":                                                                                                {"vpc"},
	"aws_lb.load_balancer_type":                                                                                     {"application"},
	"aws_lb_target_group.target_type":                                                                               {"ip"}, // the only one for awsvpc
	"aws_lb_target_group.protocol":                                                                                  {"HTTP"},
	"aws_lb_target_group.health_check.path":                                                                         {"/healthz"},
	"aws_lb_listener.protocol":                                                                                      {"HTTP", "HTTPS"},
	"aws_lb_listener.default_action.type":                                                                           {"forward", "redirect", "fixed-response"},
	"aws_lb_listener.default_action.redirect.status_code":                                                           {"HTTP_301", "HTTP_302"},
	"aws_lb_listener_rule.action.fixed_response.content_type":                                                       {"text/plain", "text/html", "application/json"},
	"aws_vpc_security_group_ingress_rule.ip_protocol":                                                               {"tcp", "udp"},
	"aws_vpc_security_group_egress_rule.ip_protocol":                                                                {"tcp", "udp"},
	"aws_sns_topic_subscription.protocol":                                                                           {"email"},
}

// within are least and most of numbers.
var within = map[string][2]float64{
	"aws_sqs_queue.visibility_timeout_seconds":              {0, 43200},
	"aws_sqs_queue.message_retention_seconds":               {60, 1209600},
	"aws_sqs_queue.receive_wait_time_seconds":               {0, 20},
	"aws_lb.idle_timeout":                                   {1, 4000},
	"aws_lb_target_group.deregistration_delay":              {0, 3600},
	"aws_lb_target_group.health_check.interval":             {5, 300},
	"aws_lb_target_group.health_check.timeout":              {2, 120},
	"aws_ecs_task_definition.ephemeral_storage.size_in_gib": {21, 200},
	"aws_lb_listener_rule.priority":                         {1, 50000},
	"aws_secretsmanager_secret.recovery_window_in_days":     {0, 30},
	"aws_ecs_service.deployment_minimum_healthy_percent":    {50, 100},
	"aws_ecs_service.deployment_maximum_percent":            {150, 400},
}

var retentions = []float64{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// leaves calls do with every value below a resource and its path without indices.
func leaves(path string, v any, do func(path string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			leaves(path+"."+name, member, do)
		}
	case []any:
		for _, element := range v {
			leaves(path, element, do)
		}
	default:
		do(path, v)
	}
}

func enumerations(r Resource, report reporter) {
	leaves(r.Type, r.Values, func(path string, v any) {
		s, ok := v.(string)
		if values := allowed[path]; ok && s != "" && values != nil && !slices.Contains(values, s) {
			report("%s is %q, not one of %s", strings.TrimPrefix(path, r.Type+"."), s, strings.Join(values, ", "))
		}
	})
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$`)

func ranges(r Resource, report reporter) {
	leaves(r.Type, r.Values, func(path string, v any) {
		n, ok := v.(float64)
		if bound, known := within[path]; ok && known && (n < bound[0] || n > bound[1]) {
			report("%s is %g, not %g to %g", strings.TrimPrefix(path, r.Type+"."), n, bound[0], bound[1])
		}
	})
	switch r.Type {
	case "aws_cloudwatch_log_group":
		if n, ok := r.number("retention_in_days"); !ok || !slices.Contains(retentions, n) {
			report("retention_in_days is %g, which CloudWatch does not know", n)
		}
	case "aws_lb", "aws_lb_target_group":
		if name := r.text("name"); len(name) > 32 || !namePattern.MatchString(name) {
			report("the name %q is longer than 32 or has letters that it may not have", name)
		}
	case "aws_s3_bucket":
		if name := r.text("bucket"); len(name) < 3 || len(name) > 63 || name != strings.ToLower(name) || strings.Contains(name, "_") {
			report("the name %q is none for a bucket", name)
		}
	case "aws_iam_role":
		if name := r.text("name"); len(name) > 64 {
			report("the name %q is longer than 64", name)
		}
	}
}
