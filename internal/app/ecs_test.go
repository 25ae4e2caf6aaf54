package app

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// agent stands for the endpoint of the ECS agent.
type agent struct {
	answer  string
	status  int
	enabled []bool
}

func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		ProtectionEnabled bool
		ExpiresInMinutes  int
	}
	if r.Method != http.MethodPut || r.URL.Path != "/api/task-protection/v1/state" || json.NewDecoder(r.Body).Decode(&asked) != nil ||
		asked.ProtectionEnabled != (asked.ExpiresInMinutes == 10) {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	a.enabled = append(a.enabled, asked.ProtectionEnabled)
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.answer))
}

func TestProtection(t *testing.T) {
	t.Parallel()
	a := &agent{status: http.StatusOK, answer: `{"protection":{"ProtectionEnabled":true}}`}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	busy, now := 0, time.Now()
	p := newProtection(server.URL+"/api", func() int { return busy }, slog.New(slog.DiscardHandler))
	p.now = func() time.Time { return now }
	step := func(jobs int, d time.Duration, want ...bool) {
		t.Helper()
		busy = jobs
		now = now.Add(d)
		a.enabled = nil
		p.look(t.Context())
		if len(a.enabled) != len(want) || len(want) > 0 && a.enabled[0] != want[0] {
			t.Errorf("with %d jobs after %s: asked %v, want %v", jobs, d, a.enabled, want)
		}
	}
	step(0, time.Second)
	step(1, time.Second, true)     // the first job
	step(1, time.Minute)           // it holds
	step(2, 5*time.Minute, true)   // renewed at half its time
	step(0, time.Second)           // idle
	step(0, 14*time.Second)        // not for long
	step(1, time.Second)           // work again: still protected
	step(0, time.Second)           //
	step(0, 15*time.Second, false) // dropped
	step(0, time.Hour)

	a.answer = `{"failure":{"Arn":"a","Reason":"DEPLOYMENT_BLOCKED"}}`
	step(1, time.Second, true)
	if err := p.Gate(t.Context()); err == nil || err.Error() != "ECS does not protect this task: DEPLOYMENT_BLOCKED" {
		t.Errorf("the gate of a refused task: %v", err)
	}
	step(0, time.Second)
	step(0, 5*time.Second, true) // asked again
	a.answer = `{"protection":{"ProtectionEnabled":true}}`
	step(0, 5*time.Second, true)
	if err := p.Gate(t.Context()); err != nil {
		t.Errorf("granted, and yet: %v", err)
	}
	step(0, time.Second)
	step(0, 15*time.Second, false)

	a.status, a.answer = http.StatusBadRequest, `{"error":{"Code":"AccessDeniedException","Message":"no"}}`
	step(1, time.Second, true)
	if err := p.Gate(t.Context()); err != nil {
		t.Errorf("no right to ask must not stop the work: %v", err)
	}
}

func TestNoProtectionOutsideECS(t *testing.T) {
	t.Parallel()
	if p := newProtection("", nil, nil); p != nil {
		t.Error("protected by nobody")
	}
}
