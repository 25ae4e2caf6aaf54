package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/butakero/butakero/internal/httpapi"
	"github.com/butakero/butakero/internal/jobs"
)

// intake accepts everything.
type intake struct{}

func (intake) Accept(context.Context, jobs.Request) (jobs.Accepted, error) {
	song := jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}
	return jobs.Accepted{Operation: jobs.Operation{
		ID:  jobs.NewOperationID(song, [8]byte{}),
		Key: jobs.Key{Song: song, Profile: jobs.DefaultProfile}, State: jobs.OperationWaiting,
	}}, nil
}

// The handler is complete in itself: it can be asked without a server.
func ExampleNew() {
	h := httpapi.New(httpapi.Config{Intake: intake{}})
	for _, target := range []string{"/api/v1/audio/start?song=the+emptiness+machine", "/api/v1/audio/start"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, http.NoBody))
		fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Header().Get("Location"))
	}
	// Output:
	// 200 application/json; charset=utf-8 /api/v1/operations/14915c7f-406d-83db-b340-000000000000
	// 400 application/problem+json
}

// A server bounds every phase of a request. It is made for a handler, and run and
// stopped by the caller.
func ExampleNewServer() {
	server := httpapi.NewServer(httpapi.New(httpapi.Config{Intake: intake{}}), "127.0.0.1:0")
	fmt.Println(server.ReadHeaderTimeout, server.WriteTimeout)
	// Output: 5s 30s
}
