// Command api runs the HTTP API of Butakero.
// All settings come from the environment; see "butakero config check".
// "api health" asks the one that runs here whether it is ready, "api health live"
// whether it answers at all, "api version" says which one this is.
package main

import (
	"flag"
	"os"

	"github.com/butakero/butakero/internal/app"
)

// release is stamped by the build: -ldflags "-X main.release=v1.2.3".
var release = ""

func main() {
	envFile := flag.String("env-file", "", "read settings from this file where the environment is silent")
	flag.Parse()
	os.Exit(app.Command(app.RoleAPI, release, *envFile, flag.Args()))
}
