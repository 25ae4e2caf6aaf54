//go:build !unix

package youtube

import (
	"os"
	"os/exec"
)

// ownGroup leaves the process as it is: cancelling kills it alone.
func ownGroup(*exec.Cmd) {}

func reap(*exec.Cmd) {}

// hold can not tell whether an owner lives: nothing is ever taken for left over.
func hold(*os.File) bool { return false }
