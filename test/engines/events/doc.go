// Package events holds the completion events that internal/events makes to the
// schemas in docs/schema, which are what consumers build on, and the AsyncAPI file
// to the schemas and to the code.
package events
