// Package app puts Butakero together: it reads the settings, opens the adapters
// that they name (registry.go, the only place that knows them), and runs the API,
// a worker, or both in one process.
package app
