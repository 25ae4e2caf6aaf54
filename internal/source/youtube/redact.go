package youtube

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/butakero/butakero/internal/jobs"
)

// textLimit bounds what is kept of anything that others wrote.
const textLimit = 300

var (
	addressPattern = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]{1,15}://[^\s"'<>\\]+`)
	// Query strings also come without their address.
	queryPattern  = regexp.MustCompile(`\?[A-Za-z0-9_.~-]+=[^\s"'<>]*`)
	secretPattern = regexp.MustCompile(`(?i)\b(key|sig|signature|lsig|token|pot|cookie|authorization|password|visitordata|sapisidhash|x-goog-api-key|x-goog-visitor-id)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|(?:bearer |basic |sapisidhash )?[^\s,;&"']+)`)
)

// redactor takes secrets out of texts that are kept: addresses lose everything
// but host and path, and known secrets are blotted out wherever they stand.
type redactor struct{ secrets []string }

func newRedactor(secrets ...string) *redactor {
	r := &redactor{}
	for _, s := range secrets {
		if len(s) >= 4 { // anything shorter would blot out words
			r.secrets = append(r.secrets, s)
		}
	}
	return r
}

// text cleans and bounds s.
func (r *redactor) text(s string) string {
	for _, secret := range r.secrets {
		s = strings.ReplaceAll(s, secret, "***")
	}
	s = addressPattern.ReplaceAllStringFunc(s, address)
	s = queryPattern.ReplaceAllString(s, "?***")
	s = secretPattern.ReplaceAllString(s, "$1$2***")
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
	return bounded(s)
}

func bounded(s string) string {
	if len(s) <= textLimit {
		return s
	}
	return strings.ToValidUTF8(s[:textLimit], "") + "…"
}

// address leaves host and path of a URL.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "***"
	}
	return u.Host + u.Path
}

// err cleans an error. Its text is kept, its chain is not: whoever unwraps it
// must not find the secret either. What callers ask for with errors.Is stays.
func (r *redactor) err(err error) error {
	if err == nil {
		return nil
	}
	if e := asError(err); e != nil {
		return e
	}
	return &cleaned{r.text(err.Error()), kind(err)}
}

type cleaned struct {
	text string
	kind error
}

// Error implements error.
func (c *cleaned) Error() string { return c.text }

// Unwrap returns the sentinel that the error was.
func (c *cleaned) Unwrap() error { return c.kind }

func kind(err error) error {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF, os.ErrDeadlineExceeded,
		syscall.ECONNRESET, syscall.ECONNREFUSED, errForbiddenHost, errStalled, errDrip,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	var n net.Error
	if errors.As(err, &n) && n.Timeout() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// asError returns the verdict in err, nil if there is none.
func asError(err error) *jobs.Error {
	var e *jobs.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
