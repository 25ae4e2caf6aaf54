// Package structure holds the project to its own layout: who may import whom,
// what is registered, what runs its family's suite, and how files look. Its
// tests are all there is.
package structure
