package double

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestControl changes a running double from outside.
func TestControl(t *testing.T) {
	t.Parallel()
	d, song := start(t, Options{})
	do := func(method, path, body string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, d.URL+"/_double/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	shown := func() string {
		t.Helper()
		var list []struct {
			ID, Fault string
		}
		if err := json.Unmarshal(get(t, http.DefaultClient, d.URL+"/_double/songs").body, &list); err != nil || len(list) != 1 || list[0].ID != song.ID {
			t.Fatalf("%+v %v", list, err)
		}
		return list[0].Fault
	}
	link := d.Link(song.ID, 251, "VISIONOS")
	for _, step := range []struct {
		method, path, body string
		status             int
		fault              string
	}{
		{"POST", "faults?id=" + song.ID, `{"kind":"private","times":3}`, 204, "private"},
		{"POST", "faults?id=" + song.ID, `{"kind":"nonsense"}`, 400, "private"},
		{"POST", "faults", `{`, 400, "private"},
		{"DELETE", "faults?id=" + song.ID, "", 204, ""},
		{"POST", "expire", "", 204, ""},
		{"GET", "ca.pem", "", 200, ""},
		{"GET", "nothing", "", 404, ""},
	} {
		if status := do(step.method, step.path, step.body); status != step.status || shown() != step.fault {
			t.Errorf("%s %s: %d, %q is shown; want %d, %q", step.method, step.path, status, shown(), step.status, step.fault)
		}
	}
	if a := get(t, http.DefaultClient, link); a.status != http.StatusForbidden {
		t.Errorf("an expired link: %d", a.status)
	}
	var log []Request
	if err := json.Unmarshal(get(t, http.DefaultClient, d.URL+"/_double/requests").body, &log); err != nil || len(log) != 1 || log[0].Kind != KindMedia {
		t.Errorf("the log has %+v, %v", log, err)
	}
	if do("DELETE", "requests", "") != http.StatusNoContent || len(d.Requests()) != 0 {
		t.Error("the log was not emptied")
	}
}
