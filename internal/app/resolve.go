package app

import (
	"context"
	"fmt"
	"io"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/source/link"
)

// Resolution says what a text means.
type Resolution struct {
	Kind    string `json:"kind"` // KindVideo, KindQuery or KindInvalid
	SongID  string `json:"song_id,omitempty"`
	Title   string `json:"title,omitempty"`
	Query   string `json:"query,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// The kinds of a Resolution.
const (
	KindVideo   = "video"
	KindQuery   = "query"
	KindInvalid = "invalid"
)

// ParseLink says what a text means without asking anybody.
func ParseLink(text string) Resolution {
	l, err := link.Parse(text)
	if err != nil {
		return invalid(err)
	}
	if l.Kind == link.KindVideo {
		return Resolution{Kind: KindVideo, SongID: l.ID}
	}
	return Resolution{Kind: KindQuery, Query: l.Query}
}

func invalid(err error) Resolution {
	e := jobs.AsError(err)
	return Resolution{Kind: KindInvalid, Code: e.Code, Message: e.Message}
}

// OpenResolver opens the configured source to resolve with; done closes what
// was opened.
func OpenResolver(ctx context.Context, c *Config) (resolve func(context.Context, string) Resolution, done func(), err error) {
	source, err := sources[c.Source](ctx, c, sourceNeeds{metrics: newMetrics()})
	if err != nil {
		return nil, nil, fmt.Errorf("open the %s source: %w", c.Source, err)
	}
	resolve = func(ctx context.Context, text string) Resolution {
		song, info, err := source.Resolve(ctx, text)
		if err != nil {
			return invalid(err)
		}
		return Resolution{Kind: KindVideo, SongID: song.ID, Title: info.Title}
	}
	done = func() {
		if closer, ok := source.(io.Closer); ok {
			_ = closer.Close() // a source that was only asked has nothing to lose
		}
	}
	return resolve, done, nil
}
