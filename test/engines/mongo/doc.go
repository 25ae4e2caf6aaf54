// Package mongo tests the MongoDB store against a genuine mongod: the conformance
// suite, races, many records, an election, a killed server, lost answers, the
// original's documents, and what a song costs in round trips.
package mongo
