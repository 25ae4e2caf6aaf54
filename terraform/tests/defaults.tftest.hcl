# What the defaults promise. terraform test (1.7 or later) runs it without an account:
# the provider is mocked, so only its schema is needed.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = {
      names = ["us-east-1a", "us-east-1b", "us-east-1c"]
    }
  }

  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
    }
  }

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }
}

variables {
  image_tag  = "1.0.0"
  plain_http = true
}

run "names" {
  command = plan

  assert {
    condition     = output.bucket_name == "butakero-music-download-prod-songs-123456789012"
    error_message = "the bucket is called ${output.bucket_name}"
  }

  assert {
    condition     = output.table_names.songs == "butakero-music-download-prod-songs" && output.table_names.operations == "butakero-music-download-prod-operations"
    error_message = "the tables have other names"
  }

  assert {
    condition     = output.secret_names.cookies == "butakero-audio-service-secrets-cookies"
    error_message = "the secret of the cookies has another name"
  }
}

run "numbers_of_the_program" {
  command = plan

  assert {
    condition     = var.lease_seconds == 90 && var.queue_wait_seconds == 20 && var.queue_max_receives == 20
    error_message = "lease, wait and receives are not the program's"
  }

  assert {
    condition     = var.service_max_attempts == 6 && var.service_timeout == 10
    error_message = "attempts and their limit are not the program's"
  }

  assert {
    condition     = var.worker_drain_seconds + 20 <= var.worker_stop_timeout
    error_message = "a worker is killed before it has handed back its songs"
  }
}

run "nobody_is_let_in" {
  command = plan

  assert {
    condition     = length(var.allowed_cidrs) == 0
    error_message = "somebody is let in by default"
  }
}

run "all_of_the_internet_is_refused" {
  command = plan

  variables {
    allowed_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.allowed_cidrs]
}

run "latest_is_refused" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}

run "a_key_is_refused" {
  command = plan

  variables {
    youtube_api_key = "something"
  }

  expect_failures = [output.secret_names]
}

run "with_tls" {
  command = plan

  variables {
    plain_http      = false
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    domain_name     = "songs.example.org"
  }

  assert {
    condition     = output.api_url == "https://songs.example.org"
    error_message = "the API is at ${output.api_url}"
  }
}
