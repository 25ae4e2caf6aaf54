package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// refusals are the errors that a transition can give.
var refusals = []error{
	jobs.ErrNotFound, jobs.ErrFenced, jobs.ErrBusy, jobs.ErrNotDue, jobs.ErrEnded,
	jobs.ErrState, jobs.ErrStale, jobs.ErrUnsent,
}

func sameError(want, got error) bool {
	if want == nil || got == nil {
		return want == nil && got == nil
	}
	for _, r := range refusals {
		if errors.Is(want, r) != errors.Is(got, r) {
			return false
		}
	}
	return true
}

func (s *suite) sameJobOutcome(what string, want, got jobs.JobOutcome) {
	s.Helper()
	if wrong := differentJobOutcome(want, got); wrong != "" {
		s.Fatalf("%s: %s", what, wrong)
	}
}

// differentJobOutcome says where an outcome differs from the model's; "" nowhere.
func differentJobOutcome(want, got jobs.JobOutcome) string {
	if !sameError(want.Err, got.Err) {
		return fmt.Sprintf("refusal %v, want %v", got.Err, want.Err)
	}
	if want.Changed != got.Changed {
		return fmt.Sprintf("changed %t, want %t (refusal %v)", got.Changed, want.Changed, got.Err)
	}
	return difference(normalJob(want.Job), normalJob(got.Job))
}

func (s *suite) sameOperationOutcome(what string, want, got jobs.OperationOutcome) {
	s.Helper()
	if wrong := differentOperationOutcome(want, got); wrong != "" {
		s.Fatalf("%s: %s", what, wrong)
	}
}

func differentOperationOutcome(want, got jobs.OperationOutcome) string {
	if !sameError(want.Err, got.Err) {
		return fmt.Sprintf("refusal %v, want %v", got.Err, want.Err)
	}
	if want.Changed != got.Changed {
		return fmt.Sprintf("changed %t, want %t (refusal %v)", got.Changed, want.Changed, got.Err)
	}
	return difference(normalOperation(want.Operation), normalOperation(got.Operation))
}

func (s *suite) same(what string, want, got any) {
	s.Helper()
	if wrong := difference(want, got); wrong != "" {
		s.Fatalf("%s: %s", what, wrong)
	}
}

// difference names the fields in which two records of one type differ.
func difference(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	if w.Kind() != reflect.Struct || w.Type() != g.Type() {
		return fmt.Sprintf("got %+v, want %+v", got, want)
	}
	var lines []string
	for i := range w.NumField() {
		a, b := w.Field(i).Interface(), g.Field(i).Interface()
		if !reflect.DeepEqual(a, b) {
			lines = append(lines, fmt.Sprintf("%s: got %s, want %s", w.Type().Field(i).Name, show(b), show(a)))
		}
	}
	return strings.Join(lines, "; ")
}

func show(v any) string {
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer && !r.IsNil() {
		v = r.Elem().Interface()
	}
	text := fmt.Sprintf("%+v", v)
	if len(text) > 300 {
		text = fmt.Sprintf("%s… (%d bytes)", text[:300], len(text))
	}
	return text
}

// normalJob leaves what the contract promises: times in milliseconds, no
// difference between an empty list and none. It copies what it changes.
func normalJob(j jobs.Job) jobs.Job {
	for _, t := range []*time.Time{
		&j.LeaseUntil, &j.RunAt, &j.DueAt, &j.ForgetAt, &j.CreatedAt, &j.GenerationAt, &j.UpdatedAt, &j.EndedAt,
	} {
		*t = normalTime(*t)
	}
	j.LastError = normalFailure(j.LastError)
	var history []jobs.Failure
	for _, f := range j.History {
		history = append(history, *normalFailure(&f))
	}
	j.History = history
	return j
}

func normalOperation(o jobs.Operation) jobs.Operation {
	for _, t := range []*time.Time{&o.CreatedAt, &o.EndedAt, &o.DueAt, &o.ExpireAt} {
		*t = normalTime(*t)
	}
	o.Failure = normalFailure(o.Failure)
	return o
}

func normalNote(n jobs.Note) jobs.Note {
	n.ExpiresAt = normalTime(n.ExpiresAt)
	if n.Value == nil {
		n.Value = []byte{}
	}
	return n
}

func normalFailure(f *jobs.Failure) *jobs.Failure {
	if f == nil {
		return nil
	}
	n := *f
	n.At, n.RetryAt = normalTime(n.At), normalTime(n.RetryAt)
	return &n
}

func normalTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

// refused checks for one refusal.
func (s *suite) refused(got, want error) {
	s.Helper()
	if !errors.Is(got, want) {
		s.Fatalf("got %v, want the refusal %q", got, want)
	}
}

func (s *suite) succeeded(changed bool, err error) {
	s.Helper()
	if err != nil || !changed {
		s.Fatalf("changed %t, %v; want a change", changed, err)
	}
}

func (s *suite) unchanged(changed bool, err error) {
	s.Helper()
	if err != nil || changed {
		s.Fatalf("changed %t, %v; want success without a change", changed, err)
	}
}
