package model

import (
	"fmt"
	"strings"
)

// Scenario bounds an exploration.
type Scenario struct {
	Name       string
	Style      Style
	Faults     uint8 // crashes, lost answers, lost and doubled messages, early ends of leases, failed attempts, together
	Replays    uint8
	Cancels    uint8 // of one operation, or of a job with everybody who waits for it
	Pauses     uint8
	Deletions  uint8 // of an ended record by retention
	Requests   uint8 // 0: both
	Publishers int   // that publish at the same time

	// For a mutation, and for the control run that has the same nets off.
	Mutation        Mutation
	NoRing          bool // the reconciler does not ring for jobs
	NoSweep         bool // the reconciler does not look at waiting operations
	OnlyBeforeClaim bool // the one fault is a worker's death between receiving and claiming

	MaxStates int // 0: 20 million
}

func (sc Scenario) limit() int {
	if sc.MaxStates > 0 {
		return sc.MaxStates
	}
	return 20_000_000
}

func (sc Scenario) start() (s state) {
	s.faults, s.replays, s.cancels, s.pauses, s.deletions = sc.Faults, sc.Replays, sc.Cancels, sc.Pauses, sc.Deletions
	if sc.Requests == 1 {
		s.requests[1].at = atEnd
	}
	return s
}

// Size says how much is explored.
type Size int

// The sizes.
const (
	Quick Size = iota // seconds: for every run of the tests
	Usual             // what the promise says
	Deep              // minutes, and up to 4 GiB
)

// styles in the order of the table, the ones with the most states first.
var styles = []Style{Kafka, SQS, SQLite}

// Scenarios are what has to hold.
func Scenarios(size Size) (all []Scenario) {
	for _, style := range styles {
		bounds := []Scenario{
			{Name: "requests", Faults: 3},
			{Name: "pause", Faults: 1, Pauses: 1},
			{Name: "cancel", Faults: 2, Cancels: 1, Requests: 1},
			{Name: "cancel, two requests", Cancels: 1},
			{Name: "replay", Faults: 1, Replays: 1, Requests: 1, Publishers: 2},
			{Name: "replay and cancel", Replays: 1, Cancels: 1, Requests: 1, Publishers: 1},
			{Name: "retention", Faults: 1, Deletions: 1},
			{Name: "retention and replay", Faults: 1, Replays: 1, Deletions: 1, Requests: 1, Publishers: 1},
		}
		switch size {
		case Quick:
			bounds = []Scenario{
				{Name: "requests", Faults: 1},
				{Name: "cancel", Faults: 1, Cancels: 1, Requests: 1},
				{Name: "replay", Faults: 1, Replays: 1, Requests: 1, Publishers: 1},
				{Name: "retention", Deletions: 1},
			}
			if style == Kafka { // differs from SQS only in what a crash leaves behind
				bounds = bounds[:1]
			}
		case Deep:
			bounds = append(bounds, []Scenario{
				{Name: "cancel, two requests and a fault", Faults: 1, Cancels: 1},
				{Name: "replay, two faults", Faults: 2, Replays: 1, Requests: 1, Publishers: 1},
				{Name: "replay, cancel and a fault", Faults: 1, Replays: 1, Cancels: 1, Requests: 1, Publishers: 1},
				{Name: "retention twice, and replay", Faults: 1, Replays: 1, Deletions: 2, Requests: 1, Publishers: 1},
			}...)
		case Usual:
		}
		for _, sc := range bounds {
			sc.Style = style
			all = append(all, sc)
		}
	}
	return all
}

// Mutations are what has to be found, each with bounds that show it. Where a
// safety net would repair the mutation as well it is off, as Bounds says. The same scenario without the mutation is its control and must hold.
func Mutations() []Scenario {
	return []Scenario{
		{Mutation: NoReconciler, Style: SQS, Faults: 1},
		{Mutation: NoFence, Style: SQS, Faults: 1},
		{Mutation: UnguardedRescue, Style: SQS, Faults: 1},
		{Mutation: JobReadFirst, Style: SQS, NoSweep: true},
		{Mutation: EventFirst, Style: SQS},
		{Mutation: FlagFirst, Style: SQS, Faults: 1, Publishers: 1, Requests: 1},
		{Mutation: DeletedFirst, Style: SQS, Faults: 1, NoRing: true, OnlyBeforeClaim: true},
		{Mutation: SameGeneration, Style: SQS, Faults: 1, Replays: 1, Requests: 1, Publishers: 1},
	}
}

// Bounds says in words how far a scenario goes.
func (sc Scenario) Bounds() string {
	requests := "2 requests"
	if sc.Requests == 1 {
		requests = "1 request"
	}
	parts := []string{requests, "2 workers", "reconciler", count(sc.Faults, "fault")}
	for _, b := range []struct {
		n    uint8
		what string
	}{{sc.Replays, "replay"}, {sc.Cancels, "cancel"}, {sc.Pauses, "pause"}, {sc.Deletions, "deletion"}} {
		if b.n > 0 {
			parts = append(parts, count(b.n, b.what))
		}
	}
	if sc.Publishers > 1 {
		parts = append(parts, fmt.Sprintf("%d publishers", sc.Publishers))
	}
	for _, net := range []struct {
		off  bool
		what string
	}{
		{sc.NoRing, "reconciler does not ring"}, {sc.NoSweep, "no sweep of waiting operations"},
		{sc.OnlyBeforeClaim, "workers die only before the claim"},
	} {
		if net.off {
			parts = append(parts, net.what)
		}
	}
	return strings.Join(parts, ", ")
}

func count(n uint8, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "<= 1 " + what
	}
	return fmt.Sprintf("<= %d %ss", n, what)
}
