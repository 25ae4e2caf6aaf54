// Package contenders holds the consumers that Butakero's workers are measured
// against: loops as their users write them, on the same brokers. None of them keeps a
// record: a message is acknowledged after its work, and that is all.
//
//   - kafka.go: sarama alone; Watermill's subscriber, and its Router
//   - sqs.go: Watermill's subscriber for SQS
//
// All acknowledge after the work. On Kafka offsets are committed once a second, as
// Butakero's queue does and as the defaults of both libraries are.
//
// The command enginebench runs them.
package contenders

import "context"

// Loop takes messages and calls work once for each, until ctx is done. The
// acknowledgement has been given, or is the loop's next act, when work has returned.
// Loops that work on several messages at a time call work from several goroutines.
type Loop func(ctx context.Context, work func()) error
