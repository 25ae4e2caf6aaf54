package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Operators act with the token or, where none is set, from the machine itself;
// what bots need is open.
func TestOperatorsOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token, remote string
		header        []string
		want          int
	}{
		"on the machine":         {"", "127.0.0.1:1", nil, 200},
		"on the machine, v6":     {"", "[::1]:1", nil, 200},
		"from elsewhere":         {"", "192.0.2.1:1", nil, 403},
		"through a proxy":        {"", "127.0.0.1:1", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		"through a lying proxy":  {"", "127.0.0.1:1", []string{"X-Forwarded-For", "127.0.0.1"}, 403},
		"through RFC 7239":       {"", "127.0.0.1:1", []string{"Forwarded", "for=192.0.2.1"}, 403},
		"with the token":         {"s3cret", "192.0.2.1:1", []string{"Authorization", "Bearer s3cret"}, 200},
		"with another":           {"s3cret", "192.0.2.1:1", []string{"Authorization", "Bearer s3cre"}, 401},
		"without the token":      {"s3cret", "127.0.0.1:1", nil, 401},
		"with another kind of":   {"s3cret", "127.0.0.1:1", []string{"Authorization", "Basic s3cret"}, 401},
		"with an empty one":      {"s3cret", "127.0.0.1:1", []string{"Authorization", "Bearer "}, 401},
		"token, though none set": {"", "192.0.2.1:1", []string{"Authorization", "Bearer "}, 403},
	} {
		h := handler(&fake{}, func(cfg *Config) { cfg.OperatorToken = c.token })
		r := httptest.NewRequest(http.MethodGet, "/api/v1/audit", http.NoBody)
		r.RemoteAddr = c.remote
		for i := 0; i+1 < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		w := serve(h, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
		if strings.Contains(w.Body.String(), "s3cret") {
			t.Errorf("%s: the answer has the token", name)
		}
	}
}

// What an operator does is in the audit, with who and where from.
func TestAuditTellsWho(t *testing.T) {
	t.Parallel()
	h := handler(&fake{})
	if w := ask(h, http.MethodPut, "/api/v1/pauses/source%3Ayoutube", `{"reason":"blocked"}`, "Content-Type", "application/json", headerOperator, "ana"); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := ask(h, http.MethodDelete, "/api/v1/pauses/source:youtube", ""); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var list auditList
	if err := json.Unmarshal(fromHere(h, "/api/v1/audit").Body.Bytes(), &list); err != nil || len(list.Entries) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if e := list.Entries[0]; e.Action != "resume" || e.Target != "source:youtube" || e.By != "127.0.0.1" {
		t.Errorf("%+v", e)
	}
	if e := list.Entries[1]; e.Action != "pause" || e.By != "ana (127.0.0.1)" || e.Reason != "blocked" {
		t.Errorf("%+v", e)
	}
}

// fromHere asks as an operator.
func fromHere(h http.Handler, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, http.NoBody)
	r.RemoteAddr = "127.0.0.1:1"
	return serve(h, r)
}

// A time that is none is the client's fault.
func TestBadTimesInBodies(t *testing.T) {
	t.Parallel()
	h := handler(&fake{})
	for _, until := range []string{`""`, `"tomorrow"`, `7`, `"2026-13-01T00:00:00Z"`} {
		w := ask(h, http.MethodPut, "/api/v1/pauses/queue", `{"until":`+until+`}`, "Content-Type", "application/json")
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "invalid_body") {
			t.Errorf("%s: %d %s", until, w.Code, w.Body)
		}
	}
}
