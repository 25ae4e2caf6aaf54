// Command api runs the HTTP API of Butakero.
// All settings come from the environment; see "butakero config check".
package main

import (
	"flag"
	"os"

	"github.com/butakero/butakero/internal/app"
)

func main() {
	envFile := flag.String("env-file", "", "read settings from this file where the environment is silent")
	flag.Parse()
	os.Exit(app.Main(app.RoleAPI, *envFile, nil))
}
