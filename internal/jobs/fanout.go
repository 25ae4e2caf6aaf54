package jobs

import "time"

// FinishCommand says how an ended job ends one of its waiting operations (W9):
// a done job lets it succeed with the job's result, a dead one fail with its
// last error. due is when the reconciler looks whether the event got out.
// Cancelled jobs end nobody's operation; they are begun again.
func FinishCommand(j Job, o Operation, now, due time.Time) OperationCommand {
	c := OperationCommand{
		Kind: OperationFinish, ID: o.ID, Now: now, Generation: o.Generation,
		JobGeneration: j.Generation, Attempts: j.Attempt, DueAt: due,
	}
	if j.State == JobDone {
		c.State, c.Result = OperationSucceeded, j.Result
		return c
	}
	c.State, c.Failure = OperationFailed, j.LastError
	return c
}
