# The two tables of records, exactly as internal/store/dynamo (schema.go) defines
# them; the program compares at its start and refuses drift. On demand. The attribute
# ttl is set on ended operations and on notes alone, never on a job. Indexes are
# sparse: a record is in one only as long as it has both attributes of its key, so the
# index due holds what has to be looked at and nothing else.

locals {
  errors = {
    class     = "err_class"
    code      = "err_code"
    host      = "err_host"
    stage     = "err_stage"
    extractor = "err_extractor"
  }

  songs_attributes = merge(
    { PK = "S", SK = "S", due_shard = "S", due_at = "N", desk = "S", touched = "S", desk_requester = "S" },
    { for attribute in values(local.errors) : attribute => "S" },
  )

  songs_indexes = merge(
    {
      due       = { hash = "due_shard", range = "due_at", include = null }
      state     = { hash = "desk", range = "touched", include = concat(["state", "requester", "run_at", "generation_at"], values(local.errors)) }
      requester = { hash = "desk_requester", range = "touched", include = concat(["state", "requester"], values(local.errors)) }
    },
    {
      for name, attribute in local.errors : name => {
        hash    = attribute
        range   = "touched"
        include = concat(["state", "requester"], [for other in values(local.errors) : other if other != attribute])
      }
    },
  )

  operations_attributes = { PK = "S", SK = "S", open = "S", due_shard = "S", due_at = "N", ended_shard = "S", ended = "S" }

  operations_indexes = {
    due   = { hash = "due_shard", range = "due_at", include = ["state"] }
    ended = { hash = "ended_shard", range = "ended", include = null }
  }
}

resource "aws_dynamodb_table" "songs" {
  name                        = var.songs_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "PK"
  range_key                   = "SK"
  deletion_protection_enabled = var.deletion_protection
  tags                        = merge(var.songs_tags, { Name = var.songs_name })

  dynamic "attribute" {
    for_each = local.songs_attributes

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.songs_indexes

    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value.hash
      range_key          = global_secondary_index.value.range
      projection_type    = global_secondary_index.value.include == null ? "KEYS_ONLY" : "INCLUDE"
      non_key_attributes = global_secondary_index.value.include
    }
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_dynamodb_table" "operations" {
  name                        = var.operations_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "PK"
  range_key                   = "SK"
  deletion_protection_enabled = var.deletion_protection
  tags                        = merge(var.operations_tags, { Name = var.operations_name })

  dynamic "attribute" {
    for_each = local.operations_attributes

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  # What waits or failed, read consistently; it can only be made with the table.
  local_secondary_index {
    name            = "open"
    range_key       = "open"
    projection_type = "ALL"
  }

  dynamic "global_secondary_index" {
    for_each = local.operations_indexes

    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value.hash
      range_key          = global_secondary_index.value.range
      projection_type    = global_secondary_index.value.include == null ? "KEYS_ONLY" : "INCLUDE"
      non_key_attributes = global_secondary_index.value.include
    }
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}
