// Package servers gives tests the real engines: Apache Kafka, ElasticMQ (which
// speaks SQS), a genuine mongod, dynalite (which speaks DynamoDB) and MinIO (which
// speaks S3).
//
// A test asks for what it needs and gets an address:
//
//	brokers := servers.Kafka(t)        // the broker that all tests of the run share
//	own := servers.NewMongo(t)         // one that this test alone may kill
//
// The shared ones come from the environment where it names them, so that one set
// serves a whole run (go run ./servers run -- COMMAND) or a person points the
// suites at his own installation or at AWS:
//
//	BUTAKERO_TEST_KAFKA_BROKERS       host:port, separated by commas
//	BUTAKERO_TEST_SQS_ENDPOINT        URL
//	BUTAKERO_TEST_DYNAMODB_ENDPOINT   URL
//	BUTAKERO_TEST_MONGO_URI           URI with replicaSet
//	BUTAKERO_TEST_S3_ENDPOINT         URL, with BUTAKERO_TEST_S3_KEY and BUTAKERO_TEST_S3_SECRET
//
// Else the process starts its own, once, at first use. Tests that share a server
// make their own topic, queue, table, database or bucket.
//
// # Where they come from
//
// At first use a server is downloaded at a pinned version into a cache:
// servers below BUTAKERO_TEST_CACHE, by default below butakero in the user's cache
// folder. An entry is named by version and hash of its recipe and is filled whole or
// not at all; processes that want the same one wait for each other. Later starts
// need no network. The package managers are used as they are configured: mvn and java
// 17 for Kafka and ElasticMQ, npm and node for dynalite, pip for mongod, go for MinIO.
// What is missing is installed with apt-get where that works, else it is named.
//
// # How they run
//
// On free ports of 127.0.0.1, in a folder of their own with their output in a log
// file, in a process group of their own. They die with the process that started
// them, however that goes (Linux), except those of the command's up.
//
// # Licences
//
// Nothing of this is part of Butakero or delivered with it; it is fetched onto the
// machine that runs the tests, and used there unchanged, over the network alone.
// Kafka, ElasticMQ and dynalite are under the Apache License 2.0, MinIO under the
// AGPL 3.0, MongoDB under the SSPL. DynamoDB Local has a proprietary licence that asks
// its user to have an AWS account in good standing: it takes dynalite's place only
// where the person who runs the tests says so with BUTAKERO_TEST_DYNAMODB=local.
package servers
