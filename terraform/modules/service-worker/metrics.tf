# What only a worker knows: whether YouTube lets it, and how old its cookies are.
locals {
  declarations = [
    {
      dimensions = [["deployment", "service"]]
      metric_name_selectors = [
        "^butakero_slots$", "^butakero_slots_busy$", "^butakero_worker_unfit$", "^butakero_youtube_paused$",
        "^butakero_youtube_cookies_age_seconds$", "^butakero_youtube_cookies_usable$",
      ]
    },
    {
      dimensions            = [["deployment", "service", "extractor"]]
      metric_name_selectors = ["^butakero_youtube_circuit_open$"]
    },
  ]
}
