// Package wire stands between a client and a real server and does what a real server
// can not be made to do: lose the answer to a request that it has carried out,
// throttle, fail part of a batch, deliver a message twice, fall silent.
//
// [NewHTTP] is for SQS, DynamoDB and S3. It knows requests by operation, and rules
// say which of them meet which fault:
//
//	p := wire.NewHTTP(t, servers.DynamoDB(t))
//	p.Inject(wire.Match{Operation: "UpdateItem"}, wire.LostAnswer(), 1)
//	// a client with endpoint p.URL
//
// It hands requests on with the Host that the client signed, so that S3's signatures
// stay good.
//
// [NewTCP] is for Kafka and MongoDB, and for faults of the network under any of them:
// cut, slow, reset, half open. A client of Kafka goes where the broker sends it:
// [NewKafka] makes a broker that sends it to the proxy. A client of MongoDB goes where
// the set's members say they are, unless its URI says directConnection=true:
// [TCP.MongoURI].
package wire
