package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// client talks to the API.
type client struct {
	base string
	http *http.Client
}

func (c *cli) client() (*client, error) {
	base := strings.TrimSuffix(c.server, "/")
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &usageError{fmt.Errorf("--server %q is not an http or https address", c.server)}
	}
	return &client{base: base, http: &http.Client{}}, nil
}

// operation is what the commands show of an operation.
type operation struct {
	ID     string `json:"id"`
	SongID string `json:"song_id"`
	State  string `json:"state"`
	Title  string `json:"title"`
	Job    struct {
		State      string   `json:"state"`
		Attempt    int      `json:"attempt"`
		Stage      string   `json:"stage"`
		Progress   *int     `json:"progress"`
		BytesDone  int64    `json:"bytes_done"`
		BytesTotal int64    `json:"bytes_total"`
		LastError  *failure `json:"last_error"`
	} `json:"job"`
	File *struct {
		Path       string `json:"path"`
		Bytes      int64  `json:"bytes"`
		Frames     int64  `json:"frames"`
		DurationMS int64  `json:"duration_ms"`
		SHA256     string `json:"sha256"`
		URL        string `json:"url"`
	} `json:"file"`

	raw json.RawMessage
}

type failure struct {
	Class   string    `json:"class"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	RetryAt time.Time `json:"retry_at"`
}

func (o operation) ended() bool { return o.State != "waiting" }

func (o operation) name() string {
	if o.Title != "" {
		return o.Title
	}
	return o.SongID
}

func decodeOperation(raw []byte) (operation, error) {
	var o operation
	if err := json.Unmarshal(raw, &o); err != nil {
		return o, fmt.Errorf("the server's answer is not an operation: %w", err)
	}
	o.raw = raw
	return o, nil
}

// problem is an answer of the API that is an error (RFC 9457).
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	return fmt.Sprintf("%s (%s)", text, p.Code)
}

// call makes a request and returns the body of a good answer.
func (c *client) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var in io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(encoded)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token := os.Getenv("BUTAKERO_OPERATOR_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if name := os.Getenv("USER"); name != "" {
		req.Header.Set("X-Butakero-Operator", name) // for the audit
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(c.base, err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end below
	raw, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, unreachable(c.base, err)
	}
	if res.StatusCode >= 300 {
		return nil, problemOf(res.StatusCode, raw)
	}
	return raw, nil
}

func unreachable(base string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return failWith(exitUnreachable, "can not reach %s: %w (is \"butakero up\" running? --server says where)", base, err)
}

func problemOf(status int, raw []byte) error {
	p := &problem{Status: status}
	if err := json.Unmarshal(raw, p); err != nil || p.Code == "" {
		p.Code, p.Title = "unexpected_answer", fmt.Sprintf("the server answered %d", status)
	}
	switch status {
	case http.StatusNotFound:
		return &exitError{exitNotFound, p}
	case http.StatusServiceUnavailable:
		return &exitError{exitUnreachable, p}
	}
	return p
}

// follow streams an operation until it has ended, telling show of every change.
// A broken stream is taken up again where it was.
func (c *client) follow(ctx context.Context, id string, show func(operation)) (operation, error) {
	var (
		last string
		o    operation
	)
	for failures := 0; ; {
		got, err := c.stream(ctx, id, &last, func(next operation) { o = next; show(next); failures = 0 })
		if err != nil && (ctx.Err() != nil || !got && failures >= 5) {
			return o, err
		}
		var coded *exitError
		var p *problem
		if errors.As(err, &p) || errors.As(err, &coded) && coded.code != exitUnreachable {
			return o, err
		}
		if o.ended() && o.ID != "" {
			return o, nil
		}
		failures++
		select {
		case <-ctx.Done():
			return o, ctx.Err()
		case <-time.After(time.Duration(failures) * 300 * time.Millisecond):
		}
	}
}

// stream reads one event stream (WHATWG HTML section 9.2) to its end.
func (c *client) stream(ctx context.Context, id string, last *string, show func(operation)) (got bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1/operations/"+url.PathEscape(id), nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if *last != "" {
		req.Header.Set("Last-Event-ID", *last)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return false, unreachable(c.base, err)
	}
	defer res.Body.Close() //nolint:errcheck // the stream is over
	if res.StatusCode == http.StatusNoContent {
		return false, nil
	}
	if res.StatusCode >= 300 {
		raw, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		return false, problemOf(res.StatusCode, raw)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		field, text, _ := strings.Cut(lines.Text(), ":")
		text = strings.TrimPrefix(text, " ")
		switch field {
		case "id":
			*last = text
		case "data":
			o, err := decodeOperation([]byte(text))
			if err != nil {
				return got, err
			}
			got = true
			show(o)
		}
	}
	if err := lines.Err(); err != nil {
		return got, unreachable(c.base, err)
	}
	return got, nil
}
