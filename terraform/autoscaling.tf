# What scaling works with. The defaults are plain numbers: the simulation that proves
# them reads them here (docs/autoscaling.md).

variable "worker_min_tasks" {
  description = "Fewest workers. With 0 nothing runs without work, and a song that comes then waits for the metrics (1 to 3 minutes, up to 15 after hours of silence) and a start (1 minute)."
  type        = number
  default     = 1

  validation {
    condition     = var.worker_min_tasks >= 0 && floor(var.worker_min_tasks) == var.worker_min_tasks
    error_message = "worker_min_tasks is a whole number of at least 0."
  }
}

variable "worker_max_tasks" {
  description = "Most workers."
  type        = number
  default     = 20

  validation {
    condition     = var.worker_max_tasks >= 1 && floor(var.worker_max_tasks) == var.worker_max_tasks
    error_message = "worker_max_tasks is a whole number of at least 1."
  }
}

variable "worker_slots" {
  description = "Songs at a time in one worker."
  type        = number
  default     = 4

  validation {
    condition     = var.worker_slots >= 1 && var.worker_slots <= 4096 && floor(var.worker_slots) == var.worker_slots
    error_message = "worker_slots is 1 to 4096."
  }
}

variable "worker_backlog_per_task" {
  description = "Jobs, waiting or in hand, for each worker: slots x how long a song may wait (60 s) / how long one takes (15 s)."
  type        = number
  default     = 16

  validation {
    condition     = var.worker_backlog_per_task > 0
    error_message = "worker_backlog_per_task is above 0."
  }
}

variable "worker_scale_out_cooldown" {
  description = "Seconds between two steps up: a task needs about as long to start."
  type        = number
  default     = 60
}

variable "worker_scale_in_cooldown" {
  description = "Seconds between two steps down."
  type        = number
  default     = 300
}

variable "worker_start_steps" {
  description = "With no worker running: from so much backlog on, add so many. Ascending; the first has backlog 1."
  type        = list(object({ backlog = number, add = number }))

  default = [
    { backlog = 1, add = 1 },
    { backlog = 33, add = 2 },
    { backlog = 129, add = 4 },
  ]

  validation {
    condition = (
      length(var.worker_start_steps) > 0 && try(var.worker_start_steps[0].backlog, 0) == 1 &&
      alltrue([for step in var.worker_start_steps : step.add >= 1]) &&
      alltrue([for i in range(1, length(var.worker_start_steps)) : var.worker_start_steps[i].backlog > var.worker_start_steps[i - 1].backlog])
    )
    error_message = "worker_start_steps begins with backlog 1 and goes up; each step adds at least one task."
  }
}

variable "worker_start_cooldown" {
  description = "Seconds until such a step may be repeated; longer than a start, or a waking fleet is woken twice."
  type        = number
  default     = 180

  validation {
    condition     = var.worker_start_cooldown >= 120
    error_message = "worker_start_cooldown is at least 120 s: a task needs a minute to start and its metric another one."
  }
}

variable "worker_stop_timeout" {
  description = "Seconds between SIGTERM and SIGKILL of a worker; Fargate allows 120 at most. Longer songs are safe from scaling by the protection of their task."
  type        = number
  default     = 120

  validation {
    condition     = var.worker_stop_timeout >= 30 && var.worker_stop_timeout <= 120
    error_message = "worker_stop_timeout is 30 to 120."
  }
}

variable "worker_drain_seconds" {
  description = "How long songs in hand may go on after SIGTERM; then they are given back. Below worker_stop_timeout by the 20 s that a last receive may take."
  type        = number
  default     = 95

  validation {
    condition     = var.worker_drain_seconds >= 0 && var.worker_drain_seconds <= 100
    error_message = "worker_drain_seconds is 0 to 100."
  }
}

variable "api_min_tasks" {
  description = "Fewest tasks of the API; two lie in two zones."
  type        = number
  default     = 2

  validation {
    condition     = var.api_min_tasks >= 1 && floor(var.api_min_tasks) == var.api_min_tasks
    error_message = "api_min_tasks is a whole number of at least 1."
  }
}

variable "api_max_tasks" {
  description = "Most tasks of the API."
  type        = number
  default     = 6

  validation {
    condition     = var.api_max_tasks >= 1 && floor(var.api_max_tasks) == var.api_max_tasks
    error_message = "api_max_tasks is a whole number of at least 1."
  }
}

variable "api_cpu_target" {
  description = "CPU per cent that the API is scaled to, the original's 75."
  type        = number
  default     = 75

  validation {
    condition     = var.api_cpu_target >= 10 && var.api_cpu_target <= 90
    error_message = "api_cpu_target is 10 to 90 per cent."
  }
}

variable "api_requests_per_task" {
  description = "Requests per minute that one task of the API is to have."
  type        = number
  default     = 6000

  validation {
    condition     = var.api_requests_per_task >= 1
    error_message = "api_requests_per_task is at least 1."
  }
}

variable "api_scale_out_cooldown" {
  description = "Seconds between two steps up."
  type        = number
  default     = 60
}

variable "api_scale_in_cooldown" {
  description = "Seconds between two steps down."
  type        = number
  default     = 300
}

variable "api_stop_timeout" {
  description = "Seconds between SIGTERM and SIGKILL of a task of the API."
  type        = number
  default     = 60

  validation {
    condition     = var.api_stop_timeout >= 30 && var.api_stop_timeout <= 120
    error_message = "api_stop_timeout is 30 to 120."
  }
}
