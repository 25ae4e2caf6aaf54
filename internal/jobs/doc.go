// Package jobs is the domain.
package jobs
