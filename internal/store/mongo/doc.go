// Package mongo keeps the records in MongoDB: the store for fleets, beside
// DynamoDB. A replica set is needed (one member is enough to try it), version
// 5.0 or later.
//
// # Collections
//
// Three, in one database: songs (one document per job, _id = job key),
// operations (_id = operation id, field key = the job it waits for) and
// <songs>_notes (_id = note key). [Migrate] makes the indexes that the queries
// here name; see indexes.go for each and for what it is.
//
// # How a step is written
//
// Every document carries the id of its last write. A step reads the document, asks
// [jobs.Transition] what becomes of it, and writes the difference on the
// condition that the write id is still the one that was read: one conditional
// write on one document, decided by the very function that the model checker
// checks. A write that finds another id has lost a race and starts over from what
// it finds. Two shortcuts save the read: what this process wrote last is
// remembered (cache.go), so that renewals, commits, ends and their marks are one
// round trip, and the first steps of a record's life — put, ensure, claim — are
// single findAndModify commands with the guard in the filter (first.go).
//
// Commands of one call travel together: at most one find and one write command,
// however many (apply.go, wire.go). The answer tells only how many updates won; if
// that is not all of them the write ids in the documents tell which. By the same ids
// a command whose answer was lost can be sent again.
//
// # Durability
//
// Writes are acknowledged by the majority, journaled. Reads that the protocol
// rests on go to the primary with read concern majority; that something is not
// there is said only after a linearizable read.
//
// # The original's documents
//
// Documents that the system which Butakero replaces left in these collections
// have no schema field. They are read for status and songs (original.go), never
// changed, and invisible to everything else.
package mongo
