package memory_test

import (
	"testing"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/memory"
	"github.com/butakero/butakero/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) jobs.Backend { return memory.New() }, storetest.Features{})
}
