package bench

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"

	"github.com/butakero/butakero/internal/app"
	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/httpapi"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/source/link"
)

// API serves the HTTP API over the embedded engines in dir until ctx is done.
// Links are resolved as the YouTube source does it, without a network. ready is
// told the address.
func API(ctx context.Context, dir string, ready func(address string)) error {
	c, err := app.Load([]string{"BUTAKERO_SOURCE=youtube", "BUTAKERO_RATE_PER_SECOND=0", "BUTAKERO_EVENTS=none", "BUTAKERO_LOG_LEVEL=warn"},
		"", map[string]string{"BUTAKERO_LISTEN": "127.0.0.1:0", "BUTAKERO_DATA_DIR": dir})
	if err != nil { // a build without that source
		return ownAPI(ctx, dir, ready)
	}
	return app.Run(ctx, context.WithoutCancel(ctx), c, slog.New(slog.DiscardHandler), app.RoleAPI, ready)
}

// ownAPI wires what the API needs as the app does.
func ownAPI(ctx context.Context, dir string, ready func(address string)) (err error) {
	r, err := openRig(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	files, err := localfs.New(filepath.Join(dir, "songs"), localfs.Options{})
	if err != nil {
		return err
	}
	intake := jobs.NewIntake(jobs.IntakeConfig{
		Store: r.Store, Notes: r.Store, Bell: r.bell, Finisher: r.finisher, Resolver: links{}, Files: files,
	})
	operator := jobs.NewOperator(jobs.OperatorConfig{Store: r.Store, Finisher: r.finisher, Bell: r.bell})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	server := httpapi.NewServer(httpapi.New(httpapi.Config{
		Intake: intake, Operator: operator, Records: r.Store, Lists: r.Store, Files: files, Depth: r.Queue.Depth,
		PublicURL: "http://" + address,
	}), address)
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() { stopped <- server.Close() })()
	ready(address)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// links resolves links and nothing else.
type links struct{}

// Resolve implements jobs.Resolver.
func (links) Resolve(_ context.Context, text string) (jobs.Song, jobs.SongInfo, error) {
	l, err := link.Parse(text)
	if err != nil {
		return jobs.Song{}, jobs.SongInfo{}, err
	}
	if l.Kind != link.KindVideo {
		return jobs.Song{}, jobs.SongInfo{}, jobs.Permanent(jobs.CodeInvalidSong, "only links", nil)
	}
	return jobs.Song{Platform: jobs.PlatformYouTube, ID: l.ID}, jobs.SongInfo{}, nil
}
