// Package sqs holds the queue on SQS against a real server of its protocol
// (ElasticMQ), or against SQS itself where BUTAKERO_TEST_SQS_ENDPOINT says so, and
// against the faults that no server can be made to show.
package sqs
