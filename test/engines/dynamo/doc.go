// Package dynamo runs the DynamoDB store against a real server: the conformance
// suite twice (on a server that returns the item with a failed condition, as
// DynamoDB does, and on one that does not), claim races over a network that
// throttles and loses answers, clocks that are wrong, the calls of a song's whole
// life, pages and due records by the ten thousand, migration and drift, and
// records that the original service wrote. The network's faults are made by a tap
// between the SDK and the server.
//
// BUTAKERO_TEST_DYNAMODB_ROUNDS, _COMMANDS, _WAITERS, _CLAIM_ROUNDS, _WAITING and
// _DUE say how much of the long tests is run.
package dynamo
