// Package openapi holds no code. Its test drives every operation of the HTTP API
// into every answer that openapi.yaml documents for it, and validates each answer
// against the document's schemas; an answer that is not documented, and a
// documented one that never comes, are errors.
package openapi
