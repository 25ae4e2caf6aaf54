// Package awss3 keeps finished songs in a bucket of Amazon S3 or of a server that
// speaks its protocol. It implements [pipeline.Blobs] and [jobs.Files].
//
// A key is the name of its object, below Options.Prefix:
//
//	audio/Title [id].dca            the file of the key "audio/Title [id].dca"
//	.butakero/records/<upload>      what is recorded of a large file
//	.butakero/probe/<random>        tells at start whether the server has conditional writes
//
// Keys below ".butakero/" are refused.
//
// # How a file comes to be
//
// Bytes are gathered in memory, 8 MiB at a time. A file that ends before the
// first 8 MiB do (most songs) is one PutObject with if-none-match, its
// description in the object's metadata and its SHA-256 as the object's checksum,
// which the server verifies. A longer one is a multipart upload: a part is sent
// while the next one is gathered, two are in flight at most, each with its own
// SHA-256; completing it carries if-none-match.
//
// # Where a large file's description is
//
// Metadata has to be given when a multipart upload begins, and what the
// description says (hash, frames, duration) is known when it ends. So the
// metadata hold the name of the upload alone, and the description is a small
// object of that name, written before the upload is completed and never changed.
// Whatever object is visible therefore names the description that was made for
// it: a crash, a race or a replacement leaves the old file with the old
// description or the new one with the new, at worst a description that no object
// names, which Sweep removes. (Tags or metadata set after completing would leave
// a moment, or after a crash a file, without a description.) The few
// descriptions that do not fit the 2 KiB of metadata are kept in the same way.
//
// # Lost answers
//
// The upload's name also tells a lost answer from a lost race: when a write is
// refused because there is an object, or when nothing is known of it, the object
// is asked for its upload; if it is this one, the write had succeeded. A commit
// whose context ends in the middle may still have made the file visible; it is
// whole and described then, and the next attempt adopts it. Where the answer to
// the beginning of a multipart upload is lost, nobody knows the upload's id: like
// those of processes that died it is removed by the bucket's rule, or by Sweep.
//
// # Servers without conditional writes
//
// Open tries if-none-match on both kinds of writes. Where the server ignores or
// refuses it, Commit looks before and after the write instead. Two workers that
// make the same song at the same moment may then both store it, one over the
// other, each of them whole; the fence in the job's record still lets only one
// of them commit, and if the file is not the committed one it is made again when
// it is asked for next.
package awss3
