// Package kafka holds the Kafka adapter against a real Apache Kafka: the
// conformance suite of queues, what is Kafka's own (rebalances, offsets, a broker
// that goes and comes back), and what an idle member and a message cost.
package kafka
