package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

func indent(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(body), "", "  "); err != nil {
		t.Fatalf("not JSON: %v: %s", err, body)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

var bothForms = []string{"/api/v1/audio/", "/api/audio/"}

func TestStart(t *testing.T) {
	t.Parallel()
	for _, path := range bothForms {
		var asked jobs.Request
		f := &fake{accept: func(r jobs.Request) (jobs.Accepted, error) {
			asked = r
			return jobs.Accepted{Operation: waiting()}, nil
		}}
		w := ask(handler(f), http.MethodPost, path+"start?song=linkin+park+the+emptiness+machine", "",
			"Idempotency-Key", `"k-1"`, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		golden(t, "start", w.Body.Bytes())
		if got, want := w.Header().Get("Location"), "/api/v1/operations/"+opID; got != want {
			t.Errorf("Location %q, want %q", got, want)
		}
		want := jobs.Request{
			Text: "linkin park the emptiness machine", IdempotencyKey: "k-1",
			Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		}
		if asked != want {
			t.Errorf("asked %+v, want %+v", asked, want)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		status      int
		code        string
	}{
		{"missing", "", 400, "song_missing"},
		{"empty", "song=", 400, "song_missing"},
		{"blank", "song=+%20%09", 400, "song_missing"},
		{"other parameter", "title=x", 400, "song_missing"},
		{"501 characters", "song=" + strings.Repeat("%C3%B1", 501), 400, "song_too_long"},
		{"500 characters", "song=" + strings.Repeat("%C3%B1", 500), 200, ""},
		{"long link", "song=https://youtu.be/" + strings.Repeat("a", 2000), 200, ""},
		{"too long link", "song=https://youtu.be/" + strings.Repeat("a", 2048), 400, "song_too_long"},
		{"NUL", "song=a%00b", 400, "song_malformed"},
		{"no UTF-8", "song=%ff%fe", 400, "song_malformed"},
		{"C1 control", "song=a%C2%85x", 400, "song_malformed"},
		{"bad escape", "song=100%", 400, "invalid_query"},
		{"semicolon is text", "song=AC;DC", 200, ""},
		{"first one counts", "song=a&song=", 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := ask(handler(&fake{}), http.MethodPost, "/api/v1/audio/start?"+test.query, "")
			if w.Code != test.status {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, test.status)
			}
			if test.code != "" {
				checkProblem(t, w, test.status, test.code)
			}
		})
	}
}

func TestStartMissingSongSaysWhatTheOriginalSaid(t *testing.T) {
	t.Parallel()
	w := ask(handler(&fake{}), http.MethodPost, "/api/v1/audio/start", "", "X-Request-Id", "r-1")
	golden(t, "start_missing_song", w.Body.Bytes())
	w = get(handler(&fake{}), "/api/v1/audio/status?operation_id=nonsense", "X-Request-Id", "r-1")
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
	golden(t, "status_invalid_operation", w.Body.Bytes())
	w = get(handler(&fake{}), "/api/v1/audio/status?operation_id=19f6c66f-26f3-4ccf-bfc7-967449a95ad4&song_id=SRXH9AbT280", "X-Request-Id", "r-1")
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
	golden(t, "status_unknown_operation", w.Body.Bytes())
}

func TestErrorsOfAccept(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		code   string
		retry  string
	}{
		{jobs.Permanent("private", "This video is private.", nil), 400, "private", ""},
		{jobs.Permanent("not_found", "Gone.", errors.New("secret")), 400, "not_found", ""},
		{jobs.Permanent(jobs.CodeIdempotency, "Other request.", nil), 422, "idempotency_mismatch", ""},
		{jobs.Permanent(jobs.CodeUnknownProfile, "No profile.", nil), 422, "unknown_profile", ""},
		{jobs.RetryAfter(90*time.Second, "quota", "Searches are used up.", nil), 429, "quota", "90"},
		{jobs.Transient("upstream", "YouTube is having trouble.", errors.New("secret")), 502, "upstream", "5"},
		{fmt.Errorf("write operation: %w: secret", jobs.ErrUnavailable), 503, "store_unavailable", "5"},
		{jobs.Transient("x", "y", fmt.Errorf("%w: secret", jobs.ErrUnavailable)), 503, "store_unavailable", "5"},
		{fmt.Errorf("a secret"), 500, "internal", ""},
		{jobs.AsError(errors.New("a secret")), 500, "internal", ""},
	}
	for _, test := range tests {
		f := &fake{accept: func(jobs.Request) (jobs.Accepted, error) { return jobs.Accepted{}, test.err }}
		w := ask(handler(f), http.MethodPost, "/api/v1/audio/start?song=x", "")
		checkProblem(t, w, test.status, test.code)
		if got := w.Header().Get("Retry-After"); got != test.retry {
			t.Errorf("%v: Retry-After %q, want %q", test.err, got, test.retry)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: answer tells %s", test.err, w.Body)
		}
	}
}

func checkProblem(t *testing.T, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Errorf("not a problem: %v: %q", err, w.Body)
		return
	}
	if w.Code != status || p.Status != status || p.Code != code {
		t.Errorf("status %d, problem %d %q; want %d %q", w.Code, p.Status, p.Code, status, code)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if p.Instance == "" || p.Instance != w.Header().Get("X-Request-Id") {
		t.Errorf("instance %q, request id %q", p.Instance, w.Header().Get("X-Request-Id"))
	}
	if p.Title == "" || p.Detail == "" || p.Error == "" || p.Type != problemBase+code {
		t.Errorf("incomplete problem %+v", p)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	fresh := jobs.Job{Key: songKey, State: jobs.JobPending, Generation: 1, CreatedAt: noon, UpdatedAt: noon}
	tests := []struct {
		name string
		op   jobs.Operation
		job  jobs.Job
	}{
		{"status_iniciando", waiting(), fresh},
		{"status_iniciando_second_attempt", waiting(), running()},
		{"status_success", succeeded(), jobs.Job{}},
		{"status_failed", failed(), jobs.Job{}},
		{"status_cancelled", cancelled(), jobs.Job{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := handler(&fake{operation: always[string](test.op), job: always[jobs.Key](test.job)})
			for _, path := range bothForms {
				for _, query := range []string{"", "&song_id=" + song.ID} {
					w := get(h, path+"status?operation_id="+opID+query)
					if w.Code != http.StatusOK {
						t.Fatalf("%d %s", w.Code, w.Body)
					}
					golden(t, test.name, w.Body.Bytes())
				}
			}
		})
	}
}

// TestStatusIsTheDocumentedOne holds the status object against the README's
// samples, in which only what is different by design was changed: ids, the path
// that carries the song's id, and a public_url that works.
func TestStatusIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	begun := `{"id":"ID","sk":"SRXH9AbT280","status":"iniciando","message":"","metadata":null,"file_data":null,` +
		`"processing_date":"","success":false,"attempts":0,"failures":0}`
	ended := `{"id":"ID","sk":"SRXH9AbT280","status":"success","message":"Procesamiento exitoso","metadata":{` +
		`"id":"META","video_id":"SRXH9AbT280","title":"The Emptiness Machine (Official Music Video) - Linkin Park",` +
		`"duration":"PT3M21S","url_youtube":"https://youtube.com/watch?v=SRXH9AbT280",` +
		`"thumbnail":"https://i.ytimg.com/vi/SRXH9AbT280/default.jpg","platform":"Youtube"},"file_data":{` +
		`"file_path":"audio/The Emptiness Machine (Official Music Video) - Linkin Park [SRXH9AbT280].dca",` +
		`"file_size":"1.44MB","file_type":"audio/dca",` +
		`"public_url":"http://localhost:8080/api/v1/songs/SRXH9AbT280/audio"},` +
		`"processing_date":"2024-12-24T05:39:58Z","success":true,"attempts":1,"failures":0}`
	for want, op := range map[string]jobs.Operation{begun: waiting(), ended: succeeded()} {
		w := get(handler(&fake{operation: always[string](op)}), "/api/v1/audio/status?operation_id="+opID)
		var answer struct {
			Status json.RawMessage `json:"status"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		want = strings.NewReplacer(`"ID"`, `"`+opID+`"`, "META", jobs.SongUUID(song)).Replace(want)
		if string(answer.Status) != want {
			t.Errorf("got\n%s\nwant\n%s", answer.Status, want)
		}
	}
}

func TestStatusRefuses(t *testing.T) {
	t.Parallel()
	h := handler(&fake{operation: always[string](waiting())})
	checkProblem(t, get(h, "/api/v1/audio/status"), 400, "invalid_operation_id")
	checkProblem(t, get(h, "/api/v1/audio/status?operation_id=%00"), 400, "invalid_parameter")
	checkProblem(t, get(h, "/api/v1/audio/status?operation_id="+opID+"&song_id=other"), 404, "operation_not_found")
	if w := get(h, "/api/v1/audio/status?operation_id="+strings.ToUpper(opID)); w.Code != http.StatusOK {
		t.Errorf("upper case id: %d", w.Code)
	}
	down := handler(&fake{operation: func(string) (jobs.Operation, error) { return jobs.Operation{}, jobs.ErrUnavailable }})
	checkProblem(t, get(down, "/api/v1/audio/status?operation_id="+opID), 503, "store_unavailable")
}

func TestHealthSaysWhatTheOriginalSaid(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{"health": true, "health_down": false} {
		h := handler(&fake{}, func(c *Config) {
			c.Ready = checks(Check{Name: "store", OK: ok, Detail: "10.0.0.1: secret"}, Check{Name: "files", OK: true})
		})
		for _, path := range []string{"/api/v1/health", "/api/health"} {
			w := get(h, path)
			golden(t, name, w.Body.Bytes())
			if want := map[bool]int{true: 200, false: 503}[ok]; w.Code != want {
				t.Errorf("%s: %d, want %d", path, w.Code, want)
			}
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "PT0S", 201 * time.Second: "PT3M21S", time.Hour: "PT1H", 3*time.Hour + 2*time.Second: "PT3H2S",
		400 * time.Millisecond: "PT0S", 59600 * time.Millisecond: "PT1M", -time.Second: "PT0S",
	} {
		if got := isoDuration(d); got != want {
			t.Errorf("isoDuration(%v) = %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{
		0: "0B", 1023: "1023B", 1024: "1.00KB", 1509949: "1.44MB", 3 << 30: "3.00GB", 5 << 40: "5120.00GB",
	} {
		if got := sizeText(n); got != want {
			t.Errorf("sizeText(%d) = %s, want %s", n, got, want)
		}
	}
}

// FuzzStart: whatever stands in the query, start answers 200 with the trimmed
// text accepted, or 400 with a problem.
func FuzzStart(f *testing.F) {
	for _, seed := range []string{"song=x", "song=", "", "song=%", "song=%ff", "song=a;b&song=c", "s%6fng=z", "song=" + strings.Repeat("x", 501), "song=%00", "=&=&song"} {
		f.Add(seed)
	}
	var accepted string
	h := handler(&fake{accept: func(r jobs.Request) (jobs.Accepted, error) {
		accepted = r.Text
		return jobs.Accepted{Operation: waiting()}, nil
	}})
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: "/api/v1/audio/start", RawQuery: query},
			Header: http.Header{}, Body: http.NoBody, Host: "x", RemoteAddr: "192.0.2.1:1",
		}
		accepted = ""
		w := serve(h, r.WithContext(t.Context()))
		switch w.Code {
		case http.StatusOK:
			if accepted == "" || accepted != strings.TrimSpace(accepted) || len(accepted) > MaxLinkBytes || !cleanText(accepted) {
				t.Errorf("accepted %q", accepted)
			}
		case http.StatusBadRequest:
			var p problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code == "" {
				t.Errorf("%v: %s", err, w.Body)
			}
		default:
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
