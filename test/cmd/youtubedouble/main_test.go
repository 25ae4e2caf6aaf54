package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestRun starts the command as a person would and looks at what it announces.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-listen", "127.0.0.1:0"}, in)
		_ = in.Close()
	}()
	var base string
	songs, failing := 0, 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if address, ok := strings.CutPrefix(line, "export BUTAKERO_YOUTUBE_BASE_URL='"); ok {
			base = strings.TrimSuffix(address, "'")
		}
		switch {
		case !strings.HasPrefix(line, "https://youtu.be/"):
		case strings.Contains(line, " - "):
			songs++
		default:
			failing++
		}
		if strings.Contains(line, "/_double/requests") {
			break
		}
	}
	if songs != 5 || failing < 80 {
		t.Errorf("%d songs and %d failures are announced", songs, failing)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/watch?v=private----", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(page), "Private video") {
		t.Errorf("%v: %s", err, page)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
