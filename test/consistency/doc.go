// Package consistency holds the three ways of deploying (compose.yaml, helm/butakero,
// terraform/) against the program's own defaults and against each other: times that
// must be longer than others, queues, names of settings, ports. The system that this
// one replaces hid messages for 60 s while a job took five minutes.
package consistency
