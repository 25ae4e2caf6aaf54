package httpapi

import (
	"log/slog"
	"net/http"
	"time"
)

// Bounds of the server's phases. Streams and files move the write deadline along
// as they go.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// NewServer returns a server for the handler with a bound on every phase of a
// request. When the handler is a [Handler], the server's Shutdown ends its
// streams (see [Handler.StopStreams]) and what the server has to say about broken
// clients goes to its log, at debug. The caller listens, serves and shuts down.
func NewServer(handler http.Handler, addr string) *http.Server {
	s := &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	if h, ok := handler.(*Handler); ok {
		s.ErrorLog = slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug)
		s.RegisterOnShutdown(h.StopStreams)
	}
	return s
}
