// Package kafka is the queue on Apache Kafka and what speaks its protocol, with
// IBM/sarama as the client; and the publisher of completion events to a topic.
//
// Kafka has no hold on single messages, only an offset per partition. So a
// message is done when its job is claimed, not when the job has ended
// ([Queue.Held] is false): offsets advance within milliseconds, a song that takes
// minutes blocks nobody, concurrency does not depend on the number of partitions,
// a rebalance never waits for a song and does not disturb one, and the group's
// lag is the backlog of unclaimed jobs. What a crash leaves behind a committed
// offset is in the record, under a lease, and the reconciler goes on with it.
//
//   - A partition's messages may be settled in any order; the offset is marked
//     only up to the first that is not (window.go).
//   - Sarama's claim goroutines only move messages into the window, a bounded
//     number of them, and never wait for a worker: that is how they notice at
//     once that their partition is revoked (claim.go).
//   - A process joins the group when it first receives, so one that only sends
//     never owns a partition; and it leaves the group when its receiver has gone,
//     so that others get the messages while its last songs end (member.go).
//   - Kafka has no delays: a delayed message waits in the sender's memory, and
//     the record rings it again if that is lost (later.go).
//   - A message that is released comes again to the same process or, when it would
//     hold up the partition's offset for long, is produced again (release.go).
//   - Messages go to the partitions in turn, not by their key: there is no order
//     to keep, and a job that is rung again should not end up behind the same busy
//     worker (producer.go).
//   - The topic is looked at when the queue is opened (topic.go), the lag is asked
//     from the brokers (depth.go).
package kafka
