# The state of the fleet, as the records tell it: every process has it, and the API is
# always there.
locals {
  declarations = [
    {
      dimensions = [["deployment", "service"]]
      metric_name_selectors = [
        "^butakero_oldest_pending_seconds$", "^butakero_backlog_seconds$", "^butakero_events_pending$", "^butakero_fleet_workers$",
        "^butakero_fleet_slots$", "^butakero_store_up$", "^butakero_queue_up$", "^butakero_files_up$", "^butakero_oldest_dead_seconds$",
      ]
    },
    {
      dimensions            = [["deployment", "service", "state"]]
      metric_name_selectors = ["^butakero_jobs$"]
    },
  ]
}
