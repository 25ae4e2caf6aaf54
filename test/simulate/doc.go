// Package simulate runs a whole fleet in fake time, with faults drawn from a seed.
//
// The use cases are the product's own, over its memory store and queue (and, in
// some runs, its SQLite store); between them are wrappers that refuse, lose,
// double, delay, and lose the answers of what was applied. Processes crash at any
// moment and come back, clocks are wrong by minutes and jump, leases run out
// early, records are forgotten, operators cancel, replay and pause, messages of a
// newer schema and rubbish arrive. Then all heals, and what was promised must hold:
// see check.
//
// One seed is one run. Everything random comes from it, and every call takes its
// own odd number of nanoseconds of fake time, so that no two things happen at the
// same moment and a run can be repeated:
//
//	go -C test test ./simulate -run TestSimulate -seed 4711 -v
//	make simulate                                  # ten thousand of them
package simulate
