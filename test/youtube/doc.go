// Package youtube holds the whole system against the double of YouTube: songs are
// asked for over HTTP, and what counts is the answer, the event, the file, and
// what the double has seen.
package youtube
