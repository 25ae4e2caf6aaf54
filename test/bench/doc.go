// Package bench measures how fast jobs go through the embedded engines: the
// SQLite store and the SQLite queue with the domain's own runner, finisher, bell
// and reconciler between them, as one worker process has them, but with a
// processor that does nothing.
//
//   - rig.go: the parts, wired as a worker wires them
//   - dispatch.go: how many jobs a second a worker ends
//   - latency.go: how long a single song waits for an idle worker
//   - api.go, load.go: how many requests a second the HTTP API accepts, and the
//     clients that send them
//   - process.go: what a process keeps in memory
//
// The command dispatchbench prints all of it in one table. The tests run small
// measurements and look at what was counted, not at how fast it was.
package bench
