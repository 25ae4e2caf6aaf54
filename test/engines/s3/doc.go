// Package s3 holds the adapter of S3 (internal/blob/awss3) to its promises on a
// real server: the conformance suite of blobs, races, memory, what is left behind
// when uploads fail, and what happens when the network lies.
//
//   - server_test.go: the server of this run, a bucket of its own, a prefix per test
//   - faults_test.go: a transport that loses, repeats and cuts answers
package s3
