package chaos_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/butakero/butakero/test/proc"
)

func TestMain(m *testing.M) { proc.Main(m) }

// process is a running butakero up.
type process struct {
	*proc.Process
	base string
}

// start runs butakero up on a data folder; env adds settings.
func start(t *testing.T, folder string, env ...string) (*process, error) {
	t.Helper()
	p, err := proc.Up(t, folder, nil, append([]string{"BUTAKERO_SOURCE=demo"}, env...))
	if p == nil {
		return nil, err
	}
	return &process{Process: p, base: p.Base}, err
}

var client = &http.Client{Timeout: 10 * time.Second}

// call makes a request and decodes the answer.
func call(ctx context.Context, method, address string, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return res.StatusCode, fmt.Errorf("%s %s: %d %s", method, address, res.StatusCode, raw)
	}
	return res.StatusCode, json.Unmarshal(raw, into)
}

type accepted struct {
	Operation string `json:"operation_id"`
	Song      string `json:"song_id"`
}

func (p *process) submit(ctx context.Context, song string) (a accepted, err error) {
	_, err = call(ctx, http.MethodPost, p.base+"/api/v1/audio/start?song="+url.QueryEscape(song), &a)
	if err == nil && a.Operation == "" {
		err = errors.New("no operation id")
	}
	return a, err
}

type operation struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Job   struct {
		State   string `json:"state"`
		Attempt int    `json:"attempt"`
		Stage   string `json:"stage"`
		Error   *struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"last_error"`
	} `json:"job"`
	File *struct {
		Path   string `json:"path"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
		Frames int64  `json:"frames"`
	} `json:"file"`
}

func (p *process) operation(ctx context.Context, id string) (o operation, err error) {
	_, err = call(ctx, http.MethodGet, p.base+"/api/v1/operations/"+id, &o)
	return o, err
}

// until calls f again and again until it says yes.
func until(t *testing.T, within time.Duration, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(within)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("after %s: %s", within, what)
		}
	}
}

// lines yields the lines of an answer.
func lines(t *testing.T, res *http.Response) func(yield func(string) bool) {
	t.Helper()
	return func(yield func(string) bool) {
		scanner := bufio.NewScanner(res.Body)
		for scanner.Scan() {
			if !yield(scanner.Text()) {
				return
			}
		}
	}
}
