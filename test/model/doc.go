// Package model explores the protocol of jobs and operations exhaustively: every
// interleaving of requests, workers, the reconciler, publishers and operators
// under a budget of faults. It shows that no order of events, within the bounds
// of a [Scenario], loses an accepted operation.
//
// # What is the application's own and what is not
//
// A record changes only by the application's own tables: [jobs.Transition],
// [jobs.TransitionOperation], [jobs.FinishCommand] and [jobs.Policy] are called
// for every write, on records that are made from the packed state and packed
// again after it. Their guards can therefore not drift from the model. What an
// actor does between two writes, which is the order of the calls in
// jobs.Intake, jobs.Runner, jobs.Finisher, jobs.Reconciler and jobs.Operator, is
// written down here again (steps_*.go): that is what a mutation changes. A test lets
// the application's own use cases take these steps and compares what they ask of
// the store, and in which order.
//
// # What a state is
//
// One job, the operations of two requests, and where every actor is with what it
// has read, packed into 256 bits. Time is abstract: a lease is valid or over, a
// retry is early or not, and a record with a due_at may be due at any moment.
// Fences and tokens are kept as what a guard can tell of them: a claim is the
// record's or it is not (and when a record was deleted and made again, the old
// fence is taken to come back with it, so that the token alone has to tell).
// Workers, requests and publishers can be told apart by nothing but their place,
// so a state stands for all of its permutations.
//
// Steps that nobody could tell apart are one step: a message rings together with
// the write that it follows (it may be received at any time after, or be lost),
// and an acknowledgement goes with the last step before it.
//
// # What is checked
//
// In every state: a commit is the only one of its generation; an event tells of an
// ended operation what its record says; what has ended moves only by a replay or
// a new request, and always into a new generation; who succeeds has a file.
//
// From every state, without any more faults, requests or operators, a state of
// rest can be reached: every operation has ended, its event is out and marked, the
// job has ended and nothing is due. So no fair run ends anywhere else: a set of
// states that is never left contains a state of rest, because from each of its
// states one can be reached.
package model
