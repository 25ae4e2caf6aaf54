//go:build !apionly

package youtube

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/butakero/butakero/internal/jobs"
)

func (n *native) call(ctx context.Context, id string, identity Identity) (found, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, playerTimeout, fail(CodeNetwork, errors.New("the player call took too long")))
	defer cancel()
	p := &player{
		ctx: ctx, id: id, identity: identity, limit: n.MaxDuration, out: n.guard, clean: n.clean, visitors: &n.visitors, now: n.now,
	}
	client, video, err := p.video()
	if err != nil {
		return found{}, err
	}
	format := chooseFormat(video.Formats, drcLinks(p.answer.Streaming.Adaptive))
	if format == nil {
		return found{}, fail(CodeNoAudio, fmt.Errorf("none of the %d formats is audio with a link", len(video.Formats)))
	}
	link := format.URL
	if link == "" {
		if link, err = decipher(func() (string, error) { return client.GetStreamURLContext(ctx, video, format) }); err != nil {
			return found{}, fail(CodeNoAudio, fmt.Errorf("decipher the link: %w", n.clean.err(err)))
		}
	}
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return found{}, fail(CodeUpstream, errors.New("the media link can not be read"))
	}
	if n.MaxBytes > 0 && format.ContentLength > n.MaxBytes {
		return found{}, fail(CodeTooLarge, fmt.Errorf("%d bytes", format.ContentLength))
	}
	thumbnail, _, _ := strings.Cut(p.answer.thumbnail(), "?") // the rest is a signature
	return found{
		track: track{
			url: link, itag: format.ItagNo, size: max(format.ContentLength, 0), modified: format.LastModified, fresh: true, identity: identity,
		},
		duration: formatDuration(format, p.answer.duration()),
		info: jobs.SongInfo{
			Title: video.Title, Artist: video.Author, URL: watchURL(id), Thumbnail: thumbnail, Duration: p.answer.duration(),
		},
		host: u.Hostname(),
	}, nil
}

// decipher survives what the library does with scripts that it does not know.
func decipher(f func() (string, error)) (link string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the player's script upsets the library")
		}
	}()
	return f()
}
