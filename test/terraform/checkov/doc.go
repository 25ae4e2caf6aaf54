// Package checkov holds the test that runs checkov over the Terraform code, under the
// build tag deploycheck: make deploy-check.
package checkov
