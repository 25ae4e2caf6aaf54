// Package fleet runs the real binaries, api and worker, several of each, on the real
// engines: songs by the hundred while workers are killed, stopped and replaced, and
// while queue, store and files go away and come back. What clients were told is kept
// in a ledger outside; at the end every promise is held against it.
package fleet
