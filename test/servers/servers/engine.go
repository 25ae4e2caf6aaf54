package servers

import (
	"context"
	"os/exec"
)

// engine is one kind of server: how it is had, started and asked.
type engine struct {
	name  string // of this list, the command and errors: kafka
	ports int    // how many it listens on; the first is the clients'

	// install fills the cache and returns the folder of the program.
	install func(ctx context.Context) (string, error)
	// prepare makes the folder of a new server ready (data, settings); it runs once.
	prepare func(s *Server) error
	// command is the program's line.
	command func(s *Server) *exec.Cmd
	// ready is asked again and again until it says nil.
	ready func(ctx context.Context, s *Server) error
	// address is what clients are given.
	address func(s *Server) string
	// environment tells a shared server to other processes, as NAME=value.
	environment func(address string) []string
}

// engines are all of them, in the order of the command's output.
func engines() []*engine { return []*engine{kafka(), sqs(), dynamodb(), mongo(), s3()} }

// Names are the engines' names: kafka, sqs, dynamodb, mongo, s3.
func Names() []string {
	var names []string
	for _, e := range engines() {
		names = append(names, e.name)
	}
	return names
}
