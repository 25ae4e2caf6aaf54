// Package s3 holds the adapter of S3 (internal/blob/awss3) to its promises on a
// real server:
//
//   - conformance_test.go: the suite of blobs
//   - upload_test.go: races, what is left behind, lost answers, overload
//   - crash_test.go: a process that dies at every request of an upload in turn
//   - read_test.go: broken downloads, signed URLs
//   - bucket_test.go: missing buckets and servers, servers without conditional
//     writes, sweeping
//   - memory_test.go, bench_test.go: what it costs
//   - server_test.go: the server of this run, a bucket of its own, a prefix per test
//   - faults_test.go: a transport that loses, refuses and cuts answers
package s3
