package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
)

const operationsPath = "/api/v1/operations"

func post(h http.Handler, body string, headers ...string) (status int, header http.Header, answer operationView, problemCode string) {
	w := ask(h, http.MethodPost, operationsPath, body, append([]string{"Content-Type", "application/json"}, headers...)...)
	if w.Code < 300 {
		_ = json.Unmarshal(w.Body.Bytes(), &answer) // a wrong answer shows in its fields
	} else {
		var p problem
		_ = json.Unmarshal(w.Body.Bytes(), &p)
		problemCode = p.Code
	}
	return w.Code, w.Header(), answer, problemCode
}

func TestCreateOperation(t *testing.T) {
	t.Parallel()
	var asked jobs.Request
	f := &fake{accept: func(r jobs.Request) (jobs.Accepted, error) {
		asked = r
		return jobs.Accepted{Operation: succeeded(), Repeated: true}, nil
	}}
	status, header, answer, _ := post(handler(f), `{"song":" <https://youtu.be/SRXH9AbT280> ","profile":"low","requester":"guild-1"}`, "Idempotency-Key", "k")
	if status != http.StatusAccepted || answer.ID != opID || answer.State != jobs.OperationSucceeded || answer.File == nil {
		t.Errorf("%d %+v", status, answer)
	}
	if header.Get("Location") != operationsPath+"/"+opID || header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("headers %v", header)
	}
	want := jobs.Request{Text: "<https://youtu.be/SRXH9AbT280>", Profile: "low", Requester: "guild-1", IdempotencyKey: "k"}
	if asked != want {
		t.Errorf("asked %+v, want %+v", asked, want)
	}
}

func TestCreateOperationRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body   string
		status int
		code   string
	}{
		{`{"song":"x"}`, 202, ""},
		{`{"song":"x","profile":"","requester":""}`, 202, ""},
		{``, 400, "invalid_body"},
		{`{}`, 400, "song_missing"},
		{`{"song":""}`, 400, "song_missing"},
		{`{"song":null}`, 400, "song_missing"},
		{`{"song":1}`, 400, "invalid_body"},
		{`["x"]`, 400, "invalid_body"},
		{`{"song":"x"`, 400, "invalid_body"},
		{`{"song":"x"} {}`, 400, "invalid_body"},
		{`{"song":"x"}}`, 400, "invalid_body"},
		{`{"song":"x","profil":"low"}`, 400, "invalid_body"},
		{`{"song":"x","profile":"Low!"}`, 400, "invalid_parameter"},
		{`{"song":"x","requester":"a\u0000b"}`, 400, "invalid_parameter"},
		{`{"song":"x","requester":"` + strings.Repeat("r", 129) + `"}`, 400, "invalid_parameter"},
		{`{"song":"` + strings.Repeat("x", MaxBodyBytes) + `"}`, 413, "body_too_large"},
	}
	h := handler(&fake{})
	for _, test := range tests {
		if status, _, _, code := post(h, test.body); status != test.status || code != test.code {
			t.Errorf("%.60s: %d %q, want %d %q", test.body, status, code, test.status, test.code)
		}
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset"} {
		w := ask(h, http.MethodPost, operationsPath, `{"song":"x"}`, "Content-Type", contentType)
		checkProblem(t, w, 415, "unsupported_media_type")
	}
	for _, key := range []string{"", `""`, "with blank", "ñ", strings.Repeat("k", 256)} {
		if status, _, _, code := post(h, `{"song":"x"}`, "Idempotency-Key", key); status != 400 || code != "invalid_idempotency_key" {
			t.Errorf("key %.20q: %d %q", key, status, code)
		}
	}
}

func TestBodyWithoutLengthIsBounded(t *testing.T) {
	t.Parallel()
	w := ask(handler(&fake{}), http.MethodPost, "/api/v1/audio/start?song=x", strings.Repeat("x", MaxBodyBytes+1))
	checkProblem(t, w, 413, "body_too_large")
}

func TestGetOperation(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]jobs.Operation{
		"operation_waiting": waiting(), "operation_succeeded": succeeded(), "operation_failed": failed(), "operation_cancelled": cancelled(),
	} {
		w := get(handler(&fake{operation: always[string](o), job: always[jobs.Key](running())}), operationsPath+"/"+opID)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		golden(t, name, w.Body.Bytes())
	}
	unstarted := handler(&fake{operation: always[string](waiting())}) // the job is written after the operation
	if w := get(unstarted, operationsPath+"/"+opID); w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"job"`) {
		t.Errorf("without a job: %d %s", w.Code, w.Body)
	}
	checkProblem(t, get(handler(&fake{}), operationsPath+"/"+opID), 404, "operation_not_found")
	checkProblem(t, get(handler(&fake{}), operationsPath+"/nonsense"), 400, "invalid_operation_id")
}

func TestCancelOperation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		op     jobs.Operation
		err    error
		status int
		code   string
	}{
		{"waiting", cancelled(), nil, 200, ""},
		{"cancelled before", cancelled(), jobs.ErrEnded, 200, ""},
		{"succeeded before", succeeded(), jobs.ErrEnded, 409, "operation_ended"},
		{"unknown", jobs.Operation{}, jobs.ErrNotFound, 404, "operation_not_found"},
		{"store down", jobs.Operation{}, fmt.Errorf("x: %w", jobs.ErrUnavailable), 503, "store_unavailable"},
		{"bug", jobs.Operation{}, errors.New("x"), 500, "internal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{cancelOperation: func(string) (jobs.Operation, error) { return test.op, test.err }}
			w := ask(handler(f), http.MethodDelete, operationsPath+"/"+opID, "")
			if test.code != "" {
				checkProblem(t, w, test.status, test.code)
			} else if w.Code != test.status || !strings.Contains(w.Body.String(), `"state":"cancelled"`) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestPublicURLFollowsTheRequest(t *testing.T) {
	t.Parallel()
	h := handler(&fake{operation: always[string](succeeded())}, func(c *Config) { c.PublicURL = "" })
	w := get(h, operationsPath+"/"+opID)
	if want := `"url":"http://example.com/api/v1/songs/SRXH9AbT280/audio"`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s lacks %s", w.Body, want)
	}
	o := succeeded()
	o.Key.Profile = "low"
	h = handler(&fake{operation: always[string](o)}, func(c *Config) { c.PublicURL = "https://songs.example/" })
	w = get(h, operationsPath+"/"+opID)
	if want := `"url":"https://songs.example/api/v1/songs/SRXH9AbT280/audio?profile=low"`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s lacks %s", w.Body, want)
	}
}
