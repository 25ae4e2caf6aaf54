//go:build race

package simulate

// slow: the race detector makes a seed take many times as long.
const slow = true
