//go:build !race

package model

import "testing"

// TestFindingIsFoundAgain: without its repair the one fault of the protocol that
// the checker has found is found again. Two million states
// are too many for the race detector.
func TestFindingIsFoundAgain(t *testing.T) {
	t.Parallel()
	v := Explore(t.Context(), Scenario{Style: SQS, Faults: 1, Replays: 1, Deletions: 1, Requests: 1, Publishers: 1, Mutation: NoNewRecord})
	if v.Bad != "an accepted operation can not end with its event any more" || v.Trace[len(v.Trace)-1] != "retention deletes the job" {
		t.Errorf("%s: %q", v.Bad, v.Trace)
	}
}
