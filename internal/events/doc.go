// Package events says how the news that an operation ended looks on a queue or
// topic: what the publishers of the transports send, whatever carries it.
//
// There are two formats, chosen with BUTAKERO_EVENT_FORMAT:
//
//	cloudevents  [CloudEvents]: structured mode of CloudEvents 1.0 in JSON; the
//	             data is the operation as the API shows it
//	original     [Original]: the envelope of the system that Butakero replaces
//
// Both are described by JSON Schemas and an AsyncAPI file in docs/schema.
//
// An event is published at least once, and all of its copies are the same, byte
// for byte, whoever publishes them and when: they are made from the operation's
// record and the configured public URL alone, and times have the precision that
// every store keeps (milliseconds). The id of an event is that of
// [jobs.EventOf], so consumers can tell copies from news.
//
// An operation that failed, was replayed and ended again has another event, with
// another id and the generation (2 and up) in it.
package events
