variable "name" {
  description = "Prefix of alarms, name of the dashboard, and the deployment of the metrics."
  type        = string
}

variable "region" {
  description = "Region of the dashboard's metrics."
  type        = string
}

variable "alarm_actions" {
  description = "What alarms and their ends are sent to: ARNs of SNS topics."
  type        = list(string)
}

variable "alarm_email" {
  description = "Address that gets alarms through a topic that is made for it; null for none."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of that topic; null leaves it to SNS."
  type        = string
}

variable "jobs_queue_name" {
  description = "Queue of jobs."
  type        = string
}

variable "dead_queue_name" {
  description = "Its dead-letter queue."
  type        = string
}

variable "table_names" {
  description = "The tables of records."
  type        = map(string)
}

variable "cluster_name" {
  description = "Cluster of the services."
  type        = string
}

variable "api_service_name" {
  description = "Service of the API."
  type        = string
}

variable "worker_service_name" {
  description = "Service of the workers."
  type        = string
}

variable "load_balancer_suffix" {
  description = "Of the load balancer's ARN."
  type        = string
}

variable "target_group_suffix" {
  description = "Of the target group's ARN."
  type        = string
}

variable "with_metrics" {
  description = "Whether the metrics of the program itself reach CloudWatch."
  type        = bool
}

variable "oldest_job_seconds" {
  description = "Alarm when a job has waited for a worker for so long."
  type        = number
}

variable "dead_jobs" {
  description = "Alarm when more jobs than so many are dead."
  type        = number
}

variable "paused_minutes" {
  description = "Alarm when YouTube has kept us out for so long."
  type        = number
}

variable "cookies" {
  description = "Whether the fleet works with cookies."
  type        = bool
}

variable "cookies_days" {
  description = "Alarm when the cookies are older than that."
  type        = number
}

variable "tags" {
  description = "Tags of alarms."
  type        = map(string)
}
