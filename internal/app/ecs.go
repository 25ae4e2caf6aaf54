package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// protection keeps Amazon ECS from stopping a task whose worker has songs in
// hand, by the agent's endpoint for scale-in protection
// (docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html).
// It holds against scale-in and deployments; against a lost host there is the
// lease. A task that ECS refuses to protect, because it is about to stop it,
// finishes what it has and takes no more. Without an answer (no right to ask, no
// network) the worker goes on unprotected and says so.
type protection struct {
	url  string
	busy func() int
	now  func() time.Time
	http *http.Client
	log  *slog.Logger

	mu      sync.Mutex
	until   time.Time // end of the protection; zero: none
	idle    time.Time // since when there is nothing in hand; zero: there is
	asked   time.Time // when it was last asked for protection
	refused error
	failing bool
}

const (
	protectFor   = 10 * time.Minute
	protectAgain = protectFor / 2
	protectIdle  = 15 * time.Second
	protectEvery = 5 * time.Second
)

// newProtection returns nil outside ECS. agent is ECS_AGENT_URI.
func newProtection(agent string, busy func() int, log *slog.Logger) *protection {
	if agent == "" {
		return nil
	}
	return &protection{
		url: strings.TrimSuffix(agent, "/") + "/task-protection/v1/state", busy: busy, now: time.Now,
		http: &http.Client{Timeout: 5 * time.Second}, log: log,
	}
}

// Gate is for jobs.RunnerConfig.
func (p *protection) Gate(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// Run renews the protection while there is work and drops it soon after.
func (p *protection) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.mu.Lock()
			p.drop(context.WithoutCancel(ctx))
			p.mu.Unlock()
			return
		case <-tick.C:
			p.mu.Lock()
			p.look(ctx)
			p.mu.Unlock()
		}
	}
}

func (p *protection) look(ctx context.Context) {
	now := p.now()
	if p.busy() == 0 && p.refused == nil {
		if p.idle.IsZero() {
			p.idle = now
		}
		if !p.until.IsZero() && now.Sub(p.idle) >= protectIdle {
			p.drop(ctx)
		}
		return
	}
	p.idle = time.Time{}
	if p.until.Sub(now) < protectAgain && now.Sub(p.asked) >= protectEvery {
		p.protect(ctx)
	}
}

func (p *protection) protect(ctx context.Context) {
	p.asked = p.now()
	err := p.put(ctx, true)
	var refusal refusedError
	switch {
	case err == nil:
		p.until = p.now().Add(protectFor)
		p.refused, p.failing = nil, false
	case errors.As(err, &refusal):
		p.refused = err
	default:
		if !p.failing {
			p.log.Warn("can not ask ECS to protect this task from being stopped; going on without", "error", err)
		}
		p.refused, p.failing = nil, true
	}
}

func (p *protection) drop(ctx context.Context) {
	if p.until.IsZero() {
		return
	}
	if err := p.put(ctx, false); err != nil {
		p.log.Debug("the protection of this task runs out by itself", "error", err)
	}
	p.until = time.Time{}
}

// refusedError is the reason that ECS gives.
type refusedError string

// Error implements error.
func (e refusedError) Error() string { return "ECS does not protect this task: " + string(e) }

// put asks the agent. Its answer names a failure with HTTP 200 as well.
func (p *protection) put(ctx context.Context, enabled bool) error {
	body := map[string]any{"ProtectionEnabled": enabled}
	if enabled {
		body["ExpiresInMinutes"] = int(protectFor / time.Minute)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, p.url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := p.http.Do(request)
	if err != nil {
		return fmt.Errorf("task protection: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end or given up
	var said struct {
		Failure *struct {
			Reason string `json:"Reason"`
		} `json:"failure"`
		Error *struct {
			Code    string `json:"Code"`
			Message string `json:"Message"`
		} `json:"error"`
	}
	b, err = io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("task protection: %w", err)
	}
	_ = json.Unmarshal(b, &said) // the status decides when it is no JSON
	switch {
	case said.Error != nil:
		return fmt.Errorf("task protection: %s: %s", said.Error.Code, said.Error.Message)
	case said.Failure != nil:
		return refusedError(said.Failure.Reason)
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("task protection: %s", answer.Status)
	}
	return nil
}
