package kube

import (
	"testing"

	"github.com/butakero/butakero/test/servers/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }
