package jobs

import (
	"fmt"
	"strings"
	"time"
)

// Policy decides what a failed attempt leads to. The zero value is legal: see
// [Policy.WithDefaults].
type Policy struct {
	MaxAttempts  int           // charged attempts of a generation; 6
	MaxAge       time.Duration // transient failures are not retried for longer than this after the first; 2 h
	Base         time.Duration // the n-th retry waits at most Base·2ⁿ; 2 s
	Cap          time.Duration // and at most Cap; 5 min
	MaxCrashes   int           // crashes in a row without reaching a new stage; 3
	MaxExtractor int           // attempts while the source's extractor is broken; 3
	MaxBlocked   time.Duration // throttled for so long: dead; 24 h
	Remember     time.Duration // a permanent failure answers new requests for so long, unless it says otherwise; 1 h
	RememberRest time.Duration // any other dead job's failure does; 1 min
}

// WithDefaults returns a copy with the zero fields filled.
func (p Policy) WithDefaults() Policy {
	setDefault(&p.MaxAttempts, 6)
	setDefault(&p.MaxAge, 2*time.Hour)
	setDefault(&p.Base, 2*time.Second)
	setDefault(&p.Cap, 5*time.Minute)
	setDefault(&p.MaxCrashes, 3)
	setDefault(&p.MaxExtractor, 3)
	setDefault(&p.MaxBlocked, 24*time.Hour)
	setDefault(&p.Remember, time.Hour)
	setDefault(&p.RememberRest, time.Minute)
	return p
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Decide turns the error of an attempt at j into the command that settles it.
// random is in [0, 1). The command lacks only the claim's fence and token, which
// it takes from j.
func (p Policy) Decide(j Job, cause error, now time.Time, random float64) JobCommand {
	e := AsError(cause)
	f := &Failure{
		Class: e.Class, Code: e.Code, Message: e.Message, Detail: detail(e), Host: e.Host, Extractor: e.Extractor,
		Stage: j.Stage, Worker: j.Owner, Attempt: j.Attempt, Generation: j.Generation, At: now,
	}
	c := JobCommand{Kind: JobFail, Key: j.Key, Now: now, Fence: j.Fence, Token: j.Token, Failure: f}
	age := now.Sub(j.generationStart())
	switch e.Class {
	case ClassPermanent:
		remember := e.Remember
		setDefault(&remember, p.Remember)
		return dead(c, now.Add(remember))
	case ClassCancelled:
		return dead(c, now)
	case ClassInterrupted:
		c.To, c.RunAt, c.Refund = JobPending, now, true
		c.Failure = nil // nothing failed
		return c
	case ClassThrottled:
		if age > p.MaxBlocked && e.Code != CodePaused {
			f.Message = fmt.Sprintf("%s (waited %s)", f.Message, age.Round(time.Minute))
			return dead(c, now.Add(p.RememberRest))
		}
		wait := max(e.RetryAfter, p.Base)
		return retry(c, now.Add(wait+time.Duration(random*float64(min(wait/4, time.Minute)))), true)
	case ClassPanic:
		c.Crash = true
		if j.Crashes+1 >= p.MaxCrashes || j.Attempt >= p.MaxAttempts {
			return dead(c, now.Add(p.RememberRest))
		}
	case ClassExtractor:
		if j.Attempt >= min(p.MaxExtractor, p.MaxAttempts) {
			return dead(c, now.Add(p.RememberRest))
		}
	case ClassTransient, ClassEnvironment:
		if j.Attempt >= p.MaxAttempts || j.failingFor(now) > p.MaxAge {
			return dead(c, now.Add(p.RememberRest))
		}
	}
	return retry(c, now.Add(p.backoff(j.Attempt, random)), false)
}

func dead(c JobCommand, forgetAt time.Time) JobCommand {
	c.To, c.ForgetAt = JobDead, forgetAt
	return c
}

func retry(c JobCommand, at time.Time, refund bool) JobCommand {
	c.To, c.RunAt, c.Refund = JobRetry, at, refund
	c.Failure.RetryAt = at
	return c
}

// backoff is full jitter: uniform between 0 and min(Cap, Base·2ⁿ).
func (p Policy) backoff(attempt int, random float64) time.Duration {
	limit := p.Cap
	if n := max(attempt, 0); n < 30 {
		limit = min(limit, p.Base<<n)
	}
	return time.Duration(random * float64(limit))
}

// generationStart is when the present generation of the job was asked for.
func (j Job) generationStart() time.Time {
	if j.GenerationAt.IsZero() {
		return j.CreatedAt
	}
	return j.GenerationAt
}

// failingFor is how long ago the first failure of the present generation was, as
// far as it is remembered. A job that has waited for long has not failed for long.
func (j Job) failingFor(now time.Time) time.Duration {
	for _, f := range j.History {
		if f.Generation == j.Generation {
			return now.Sub(f.At)
		}
	}
	return 0
}

func detail(e *Error) string {
	if e.Err == nil {
		return ""
	}
	s := e.Err.Error()
	if len(s) > DetailLimit {
		s = s[:DetailLimit]
	}
	return strings.ToValidUTF8(s, "") // the cut, or a child process, may have left half a rune
}
