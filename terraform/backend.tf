# Bucket, key and lock are given at init, so that nobody has to edit this file:
#   terraform init -backend-config=backend.hcl
# backend.example.hcl has the names of the original.
terraform {
  backend "s3" {}
}
