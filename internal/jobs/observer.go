package jobs

import "time"

// Observer is told what the use cases do, for metrics and logs. Its methods are
// called from many goroutines and must return at once.
type Observer interface {
	// Claimed: a worker took a job that the delivery rang for.
	Claimed(j Job, d Delivery)

	// Settled: an attempt ended and its end is written. c says how; writing took
	// so long.
	Settled(j Job, c JobCommand, took time.Duration)

	// LeaseLost: an attempt was stopped, or its end refused, because somebody
	// else has the job.
	LeaseLost(j Job)

	// Quarantined: a message could not be decoded and is kept aside.
	Quarantined(d Delivery)

	// Repaired: the reconciler found what a crash or a lost message had left.
	Repaired(r Repair)
}

// Repair names what the reconciler did.
type Repair string

// The repairs.
const (
	RepairRang      Repair = "rang"      // a due job that nobody had claimed
	RepairStolen    Repair = "stolen"    // rang for a job whose lease has run out
	RepairFannedOut Repair = "fannedout" // ended the operations of an ended job
	RepairEnsured   Repair = "ensured"   // made the job of a waiting operation
	RepairPublished Repair = "published" // published a pending event
)

// NoObserver observes nothing.
type NoObserver struct{}

// Claimed implements Observer.
func (NoObserver) Claimed(Job, Delivery) {}

// Settled implements Observer.
func (NoObserver) Settled(Job, JobCommand, time.Duration) {}

// LeaseLost implements Observer.
func (NoObserver) LeaseLost(Job) {}

// Quarantined implements Observer.
func (NoObserver) Quarantined(Delivery) {}

// Repaired implements Observer.
func (NoObserver) Repaired(Repair) {}
