package model

import "github.com/butakero/butakero/internal/jobs"

// Mutation is a fault in the protocol that the checker has to find.
type Mutation string

// The mutations.
const (
	NoReconciler    Mutation = "no reconciler"
	NoFence         Mutation = "commit without fence"
	UnguardedRescue Mutation = "unguarded rescue"
	JobReadFirst    Mutation = "job read before the operation is written"
	EventFirst      Mutation = "event before commit"
	FlagFirst       Mutation = "flag cleared before publish"
	DeletedFirst    Mutation = "message deleted before the claim"
	SameGeneration  Mutation = "replay without a new generation"

	// NoNewRecord is what the checker once found in the protocol itself: an operation
	// that a replay has reopened waited for ever when the record of its job was
	// then deleted, because the record made anew counts from generation 1 again.
	NoNewRecord Mutation = "record made anew not begun again"
)

// wrappers are mutations of the table itself.
var wrappers = map[Mutation]func(jobs.Job, jobs.JobCommand) (jobs.Job, bool, error){
	NoFence: func(j jobs.Job, c jobs.JobCommand) (jobs.Job, bool, error) {
		own := j.Fence == c.Fence && j.Token == c.Token // a repeated write is still recognised
		if c.Kind == jobs.JobCommit && !own && (j.State == jobs.JobRunning || j.State == jobs.JobDone) {
			j.State, c.Fence, c.Token = jobs.JobRunning, j.Fence, j.Token
		}
		return jobs.Transition(j, c)
	},
	SameGeneration: func(j jobs.Job, c jobs.JobCommand) (jobs.Job, bool, error) {
		next, changed, err := jobs.Transition(j, c)
		if c.Kind == jobs.JobReplay && changed {
			next.Generation = j.Generation
		}
		return next, changed, err
	},
}
