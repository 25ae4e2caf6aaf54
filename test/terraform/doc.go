// Package terraform checks the Terraform code of the deployment on AWS without AWS and
// without its provider: the real terraform runs, against a stand-in that has the
// provider's schema (awsschema, awsstub). What a schema can not tell (allowed values,
// ranges, pairs of CPU and memory, rights, metrics that nobody publishes) plancheck
// looks for in the plan. Mistakes that are planted one by one show that each is caught.
//
// It needs: bash scripts/setup.sh terraform
package terraform
