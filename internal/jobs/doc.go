// Package jobs is the domain of Butakero: songs, jobs and operations, the rules
// by which they change, the ports behind which stores, queues and sources lie,
// and the use cases that move a request from the API to a finished file. It
// imports the standard library alone.
//
// # The idea
//
// The record is the truth, the queue only rings. Each accepted request is a
// durable [Operation] that waits for a [Job]; there is one job per [Key], which
// is why a song is made once however many ask for it. Every step of the
// protocol is one conditional write on one record. [Transition] and
// [TransitionOperation] are the whole table of them as pure functions; stores
// mirror the table in their own language. A lost, doubled or late message
// changes nothing but the time of day.
//
// # The steps
//
//	[Intake]      W1  put the operation                OperationPut
//	              W2  put the job, if there is none    JobEnsure
//	              W3  answer the client
//	              W4  send a message (best effort)     [Bell]
//	[Runner]      W5  claim: lease, fence, token       JobClaim
//	              W6  renew, with progress             JobRenew
//	              W7  store the file                   [Processor]
//	              W8  commit, or record the failure    JobCommit, JobFail
//	[Finisher]    W9  end every waiting operation      OperationFinish (sets the event pending)
//	              W10 publish its event                [Events]
//	              W11 mark it published                OperationAnnounced
//	              –   nothing is due any more          JobClose
//	[Runner]      W12 acknowledge the message          [Queue]
//
// An [Operator] adds cancel (OperationFinish, then JobCancel when nobody waits)
// and replay (JobReplay, OperationReopen, JobReopened). The [Reconciler] looks
// at every record whose due_at has passed and does whatever step is next.
//
// # What a crash leaves
//
//	stopped after          the record says                   who goes on
//	before W1              nothing                           the client, who got no answer
//	W1                     operation waits, no job           reconciler: W2 (the client repeats its key)
//	W2, W3                 pending, not rung                 reconciler: W4 after RingAfter
//	W4, message lost       pending                           the same
//	W4, message doubled    running or ended                  the second claim is refused, message acknowledged
//	W5, in mid-work        running, the lease runs out       reconciler rings, next claim steals: fence+1, crash counted
//	a pause > lease        running under another fence       the old worker's W6 and W8 are refused; it stops, writes nothing
//	W7                     running; a whole file is there    the next attempt adopts it
//	W8, answer lost        done with our token               the repeated write is recognised: go on
//	W8                     done, operations wait, due        reconciler: W9
//	W9 for some            mixed                             reconciler: the rest
//	W10                    event pending                     published again, same event id
//	W11                    ended, message not acknowledged   next delivery sees the end and acknowledges
//	shutdown in mid-work   pending, attempt given back       any worker, at once
//	store down > lease     running                           the worker stops itself before the lease ends
//	replay, half-way       pending with a reopen mark        reconciler: reopens the rest
//	record deleted         nothing                           a late message is acknowledged
//
// # Why nothing is lost
//
// An accepted operation is durable and, until it has ended and its event is
// out, due at some time: the reconciler gets to it. At most one commit per job
// and generation succeeds, because fences grow under linearizable writes and
// the token tells claims of a re-made record apart. An operation ends in the
// same write that sets its event pending, and the mark is cleared only after
// the target has taken the event. Attempts, crashes and age are bounded: every
// job ends.
//
// # Verdicts
//
// A [Processor] returns nil or an error whose [Class] is the verdict:
// [Permanent] ends the job at once and answers new requests for a while
// (negative cache), [RetryAfter] waits uncharged, [Transient] is retried with
// full jitter, [Environment] blames the worker. [Policy.Decide] is the one
// place where a verdict becomes a command.
package jobs
