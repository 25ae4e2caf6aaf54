package kube

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/butakero/butakero/test/servers/servers"
)

// TestMain is also kubectl and helm, when it is called by those names.
func TestMain(m *testing.M) {
	switch name := filepath.Base(os.Args[0]); name {
	case "kubectl", "helm":
		os.Exit(standIn(name, os.Args[1:]))
	}
	servers.Main(m)
}
