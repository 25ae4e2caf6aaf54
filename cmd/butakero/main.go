// Command butakero is Butakero for people: it runs the whole system in one
// process, talks to a running one, and works on DCA files.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
