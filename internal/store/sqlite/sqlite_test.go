package sqlite_test

import (
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobs.Backend { return open(t) }, storetest.Features{FanOut: true, Eventually: 5 * time.Second})
}
