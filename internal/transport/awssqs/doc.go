// Package awssqs carries the messages of package jobs through Amazon SQS.
//
// It is a standard queue: order is not needed, and the record does what a FIFO
// queue would be asked for. A message is held, its visibility renewed in batches,
// until its job has ended, so that work in hand counts as in flight and those who
// scale workers on the queue see the truth. Visibility is a lease and never a
// timer: what is to come later is sent anew with a delay, so that it counts as
// delayed. A receipt that is no longer valid means that somebody else has the
// message: the claim in the record decides.
//
// The broker's own dead-letter queue is a backstop for messages that stop a
// process before it can claim: see [Queue.DeadLetters].
//
// What SQS does is taken from the API reference of Amazon SQS, version 2012-11-05.
package awssqs
