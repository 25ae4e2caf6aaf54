// Package httpapi is the HTTP face of Butakero: it decodes requests, calls the
// use cases of internal/jobs and encodes what they say. It is the only place
// that knows status codes.
//
// Three families of routes share one [Handler]:
//
//   - the endpoints of the system that Butakero replaces, kept in names, types
//     and words (original.go): start, status, health;
//   - the resources under /api/v1 (operations.go, songs.go, jobs.go,
//     events.go), described by openapi.yaml, which a test holds against the
//     routes and the answers;
//   - /healthz, /readyz and /metrics for the machinery around the process.
//
// A request passes [Handler.ServeHTTP] (request id, panics, limits, headers),
// chi's router, and one handler that returns an error or has answered. Errors
// become application/problem+json in one place, problem.go; what is nobody's
// business but ours is logged there, once, with the request's id.
//
// The package declares the little that it asks of the rest as small interfaces
// in config.go; internal/app hands in the use cases, the store and the files.
package httpapi
