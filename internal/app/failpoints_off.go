//go:build !failpoints

package app

import "net/http"

// instrument does nothing in a binary for use; see failpoints.go.
func (s *System) instrument() error { return nil }

func instrumentHandler(h http.Handler) http.Handler { return h }
