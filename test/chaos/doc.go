// Package chaos kills the real program while it works, and checks by a ledger
// that lies outside it that nothing was lost.
package chaos
