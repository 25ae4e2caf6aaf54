package sqlite_test

import (
	"testing"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobs.Backend { return open(t) }, storetest.Features{FanOut: true})
}
