# The bucket of the songs: private, encrypted, over TLS alone. Nothing in it expires:
# the only rule of its life cycle takes away uploads that were never finished.

resource "aws_s3_bucket" "songs" {
  bucket        = var.bucket
  force_destroy = var.force_destroy
  tags          = merge(var.tags, { Name = var.bucket })
}

resource "aws_s3_bucket_public_access_block" "songs" {
  bucket                  = aws_s3_bucket.songs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "songs" {
  bucket = aws_s3_bucket.songs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "songs" {
  bucket = aws_s3_bucket.songs.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "songs" {
  bucket = aws_s3_bucket.songs.id

  versioning_configuration {
    status = var.versioning ? "Enabled" : "Suspended"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "songs" {
  bucket = aws_s3_bucket.songs.id

  rule {
    id     = "abort-unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

data "aws_iam_policy_document" "tls" {
  statement {
    sid       = "OnlyOverTLS"
    effect    = "Deny"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]
    resources = [aws_s3_bucket.songs.arn, "${aws_s3_bucket.songs.arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "tls" {
  bucket     = aws_s3_bucket.songs.id
  policy     = data.aws_iam_policy_document.tls.json
  depends_on = [aws_s3_bucket_public_access_block.songs]
}
