package youtube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// request asks for the next range.
func (s *stream) request() error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	timer := time.AfterFunc(s.idle, func() { cancel(errStalled) })
	resp, want, err := s.ask(ctx)
	timer.Stop()
	if err != nil {
		if errors.Is(context.Cause(ctx), errStalled) {
			err = errStalled
		}
		cancel(nil)
		return transportError(s.clean, err)
	}
	if err := s.accept(resp, want); err != nil {
		_ = resp.Body.Close()
		cancel(nil)
		return err
	}
	s.install(ctx, cancel, resp.Body)
	return nil
}

// ask sends the request; want is the number of bytes asked for, 0 for all.
func (s *stream) ask(ctx context.Context) (*http.Response, int64, error) {
	link := s.track.url
	var want int64
	span := ""
	if s.track.size > 0 {
		want = min(chunkBytes, s.track.size-s.off)
		span = fmt.Sprintf("%d-%d", s.off, s.off+want-1)
	}
	u, err := url.Parse(link)
	if err != nil {
		return nil, 0, errors.New("the media link can not be read") // the cause would quote it
	}
	if span != "" && !s.header {
		// Appended as it is: encoding the query anew would reorder what is signed.
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += "range=" + span
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, errors.New("the media link can not be asked for")
	}
	r.Header.Set("User-Agent", s.track.identity.UserAgent)
	r.Header.Set("Accept-Encoding", "identity")
	if span != "" && s.header {
		r.Header.Set("Range", "bytes="+span)
	}
	resp, err := s.client.Do(r)
	return resp, want, err
}

// accept checks the head of an answer and notes how far its body goes.
func (s *stream) accept(resp *http.Response, want int64) error {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
	case http.StatusForbidden, http.StatusGone, http.StatusNotFound, http.StatusUnauthorized:
		return fmt.Errorf("%w: HTTP status %d", errRefused, resp.StatusCode)
	case http.StatusRequestedRangeNotSatisfiable:
		return fail(CodeIncomplete, fmt.Errorf("there is nothing at byte %d of %d", s.off, s.track.size))
	default:
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // words that may tell more; none are fine
		return judgeStatus(resp, body, s.now())
	}
	if err := notMedia(resp); err != nil {
		return err
	}
	if tag := resp.Header.Get("ETag"); tag != "" {
		if s.tag != "" && s.tag != tag && s.off > 0 {
			return fail(CodeIncomplete, errors.New("the file was changed while it was fetched"))
		}
		s.tag = tag
	}
	length := resp.ContentLength
	switch {
	case want == 0: // no size was announced
		s.bodyEnd = 0
		if length > 0 {
			s.track.size, s.bodyEnd = length, length
		}
		return nil
	case resp.StatusCode == http.StatusPartialContent:
		if part := resp.Header.Get("Content-Range"); part != "" || length != want {
			return s.acceptPart(part, want)
		}
	case length == want, length < 0 && s.off == 0 && want == s.track.size:
	case length == s.track.size && s.off == 0:
		want = length // the whole at once is as good
	case length == s.track.size, length < 0:
		return errShunned
	case length > want, length == 0:
		return fail(CodeIncomplete, fmt.Errorf("%d bytes are offered, %d were announced", length, s.track.size))
	default:
		want = length
	}
	s.bodyEnd = s.off + want
	return nil
}

// acceptPart reads Content-Range (RFC 9110 section 14.4).
func (s *stream) acceptPart(text string, want int64) error {
	spec, ok := strings.CutPrefix(text, "bytes ")
	span, total, ok2 := strings.Cut(spec, "/")
	first, last, ok3 := strings.Cut(span, "-")
	from, err1 := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if !ok || !ok2 || !ok3 || err1 != nil || err2 != nil || from != s.off || to < from || to >= s.off+want {
		return fail(CodeIncomplete, errors.New("the answer is another part than asked for"))
	}
	if n, err := strconv.ParseInt(total, 10, 64); err == nil && n != s.track.size {
		return fail(CodeIncomplete, fmt.Errorf("the file has %d bytes, %d were announced", n, s.track.size))
	}
	s.bodyEnd = to + 1
	return nil
}

// notMedia finds pages that come with status 200.
func notMedia(resp *http.Response) error {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || strings.HasPrefix(kind, "audio/") || strings.HasPrefix(kind, "video/") ||
		kind == "application/octet-stream" || kind == "application/vnd.yt-ump" {
		return nil //nolint:nilerr // also when it says nothing: the first bytes will tell
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if findSignal(plain(string(body))) == CodeBotCheck {
		return fail(CodeBotCheck, errors.New("a page with a check came instead of media"))
	}
	return fail(CodeUpstream, fmt.Errorf("%.40q came instead of media", kind))
}
