// Package endtoend asks the real program for real songs over HTTP, and holds what
// comes back against ffprobe.
package endtoend
