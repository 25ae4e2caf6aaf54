package app

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/source/demo"
	"github.com/butakero/butakero/internal/source/youtube"
	storememory "github.com/butakero/butakero/internal/store/memory"
	storesqlite "github.com/butakero/butakero/internal/store/sqlite"
	queuememory "github.com/butakero/butakero/internal/transport/memory"
	queuesqlite "github.com/butakero/butakero/internal/transport/sqlite"
)

// The registry: adding an adapter is one folder and one line here. Nothing else
// in the project knows which engines there are.
var (
	stores = map[string]func(context.Context, *Config, *slog.Logger) (storeAdapter, error){
		"memory": openMemoryStore,
		"sqlite": openSQLiteStore,
	}
	queues = map[string]func(context.Context, *Config, *slog.Logger) (queueAdapter, error){
		"memory": openMemoryQueue,
		"sqlite": openSQLiteQueue,
	}
	blobs = map[string]func(context.Context, *Config, *slog.Logger) (blobAdapter, error){
		"local": openLocalBlobs,
	}
	sources = map[string]func(context.Context, *Config, sourceNeeds) (sourceAdapter, error){
		"demo":    openDemoSource,
		"youtube": openYouTubeSource,
	}
	events = map[string]func(context.Context, *Config, *slog.Logger) (jobs.Events, error){
		"none": func(context.Context, *Config, *slog.Logger) (jobs.Events, error) { return nil, nil },
	}
)

// What the wiring asks of an adapter beside its port.
type (
	pinger interface {
		Ping(ctx context.Context) error
	}
	storeAdapter interface {
		jobs.Backend
		pinger
		io.Closer
	}
	queueAdapter interface {
		jobs.Queue
		pinger
		io.Closer
	}
	blobAdapter interface {
		pipeline.Blobs
		jobs.Files
		pinger
		io.Closer
	}
	sourceAdapter interface {
		pipeline.Source
		jobs.Resolver
	}
)

func openMemoryStore(context.Context, *Config, *slog.Logger) (storeAdapter, error) {
	return storememory.New(), nil
}

func openSQLiteStore(ctx context.Context, c *Config, _ *slog.Logger) (storeAdapter, error) {
	return storesqlite.Open(ctx, filepath.Join(c.DataDir, "records.db"), storesqlite.Options{})
}

func openMemoryQueue(_ context.Context, c *Config, _ *slog.Logger) (queueAdapter, error) {
	return queuememory.New(queuememory.Options{Visibility: c.Lease}), nil
}

func openSQLiteQueue(ctx context.Context, c *Config, _ *slog.Logger) (queueAdapter, error) {
	return queuesqlite.Open(ctx, filepath.Join(c.DataDir, "queue.db"), queuesqlite.Options{Visibility: c.Lease})
}

func openLocalBlobs(_ context.Context, c *Config, _ *slog.Logger) (blobAdapter, error) {
	return localfs.New(c.LocalStoragePath, localfs.Options{})
}

// sourceNeeds is what a source may need of the rest of the system.
type sourceNeeds struct {
	notes   jobs.Notes // nil: nothing is shared with the fleet
	metrics *metrics
}

func openDemoSource(_ context.Context, c *Config, _ sourceNeeds) (sourceAdapter, error) {
	return demo.New(demo.Options{MediaDir: c.MediaDir, Rate: c.DemoRate})
}

func openYouTubeSource(_ context.Context, c *Config, n sourceNeeds) (sourceAdapter, error) {
	y := c.YouTube
	source, err := youtube.New(youtube.Options{
		BaseURL: y.BaseURL, APIBaseURL: y.APIBaseURL, APIKey: y.APIKey, Client: y.Client,
		Extractors: y.Extractors, YTDLPPath: y.YTDLPPath, YTDLPArgs: y.YTDLPArgs, Cookies: y.Cookies,
		Proxy: y.Proxy, Egress: y.Egress, TempDir: c.TempDir, MaxDuration: c.MaxDuration, MaxBytes: c.MaxBytes,
		SongsEvery: y.SongsEvery, Burst: y.Burst, Pause: y.Pause, SearchQuota: y.Searches,
		Notes: n.notes, Observer: n.metrics,
	})
	if err != nil {
		return nil, err
	}
	n.metrics.watchYouTube(source)
	return source, nil
}
