// Package localfs keeps finished songs in a folder. It is the embedded default
// behind [pipeline.Blobs].
//
// A key is the path of its file below the folder, so that people find their
// songs by name:
//
//	audio/Title [id].dca      the file of the key "audio/Title [id].dca"
//	.butakero/records/        what was recorded of each file, by the hash of its key
//	.butakero/temp/           files that are being written and have a name
//	.butakero/locks/          locks that processes sharing the folder take
//
// # How a file comes to be
//
// Bytes are written to an unnamed file (O_TMPFILE), which vanishes with its
// process, however that ends. Where the file system has no such thing, they go
// to a named one in the temp folder that is locked while its process lives; the
// next start removes those that nobody holds. Commit makes the bytes durable,
// takes the key's lock, writes the record, makes that durable, and only then
// gives the file its name, with a hard link, which never overwrites.
//
// The record holds the size and modification time that the file has. A file
// that differs (copied without its times, say) is read and compared with the
// recorded SHA-256. When a file is replaced, the record describes the new and
// the old one until the next replacement, so that it fits whichever of them a
// crash leaves.
//
// # Limits
//
// Unlike an object store, a folder can not hold a file and a folder of the same
// name: of the keys "a" and "a/b" only one can exist, the other is
// pipeline.ErrBadKey. Everything has to be on one file system. No path that is
// reached through this package leads out of the folder, also not through
// symbolic links (see [os.Root]).
package localfs
