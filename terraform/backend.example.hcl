# Where the state lies. Names of buckets are taken once in the whole world: choose your own.
bucket         = "song-download-tf-state"
key            = "prod/terraform.tfstate"
region         = "us-east-1"
encrypt        = true
dynamodb_table = "terraform-lock-table" # from Terraform 1.11 on, use_lockfile = true does without a table
