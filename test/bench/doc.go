// Package bench measures how fast jobs go through a worker: a store and a queue with
// the domain's own runner, finisher, bell and reconciler between them, as one worker
// process has them, but with a processor that does nothing, or waits. It opens the
// embedded engines itself; others are handed to it.
//
//   - rig.go: the parts, wired as a worker wires them
//   - dispatch.go: how many jobs a second a worker ends
//   - drain.go: the same on any engines, and how fast other consumers are
//   - latency.go: how long a single song waits for an idle worker
//   - api.go, load.go: how many requests a second the HTTP API accepts, and the
//     clients that send them
//   - process.go: what a process keeps in memory
//
// The commands dispatchbench and enginebench print the tables. The tests run small
// measurements and look at what was counted, not at how fast it was.
package bench
