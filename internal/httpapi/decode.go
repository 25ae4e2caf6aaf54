package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/jobs"
)

// Bounds of what clients may say.
const (
	MaxTextRunes      = 500  // a title
	MaxLinkBytes      = 2048 // a link
	maxRequesterBytes = 128
	maxIdempotencyKey = 255
)

// queryParam returns the first value of a parameter. Unlike net/url it takes a
// semicolon for what it is, part of a title, and does not build a map.
func queryParam(raw, name string) (value string, there bool, err error) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		k, v, _ := strings.Cut(pair, "=")
		if k != name {
			if !strings.ContainsAny(k, "%+") {
				continue
			}
			if k, err = url.QueryUnescape(k); err != nil || k != name {
				continue
			}
		}
		if value, err = url.QueryUnescape(v); err != nil {
			return "", true, errQuery
		}
		return value, true, nil
	}
	return "", false, nil
}

// params reads several parameters and keeps the first error.
type params struct {
	raw string
	err error
}

func (p *params) text(name string) string {
	v, _, err := queryParam(p.raw, name)
	p.keep(err)
	if err == nil && !cleanText(v) {
		p.keep(invalidParam(name, "must be UTF-8 without control characters"))
	}
	return v
}

func (p *params) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}

// named is text for a parameter that says nothing when it is empty: then it has to
// be left out.
func (p *params) named(name string) (value string, there bool) {
	value = p.text(name)
	if value != "" || p.err != nil {
		return value, p.err == nil
	}
	if _, there, _ = queryParam(p.raw, name); there {
		p.keep(invalidParam(name, "is empty"))
	}
	return "", false
}

func (p *params) oneOf(name string, allowed ...string) string {
	v, there := p.named(name)
	if !there {
		return ""
	}
	for _, a := range allowed {
		if v == a {
			return v
		}
	}
	p.keep(invalidParam(name, "must be one of "+strings.Join(allowed, ", ")))
	return ""
}

// yes reads a switch: true, 1 or nothing behind the name.
func (p *params) yes(name string) bool {
	v, there, err := queryParam(p.raw, name)
	p.keep(err)
	switch {
	case err != nil || !there:
		return false
	case v == "" || v == "true" || v == "1":
		return true
	case v == "false" || v == "0":
		return false
	}
	p.keep(invalidParam(name, "must be true or false"))
	return false
}

func (p *params) time(name string) time.Time {
	v, there := p.named(name)
	if !there {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		p.keep(invalidParam(name, "must be a time of RFC 3339"))
	}
	return t
}

// limit reads the page size: 1 to maxPage.
func (p *params) limit() int {
	v, there := p.named("limit")
	if !there {
		return defaultPage
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxPage {
		p.keep(invalidParam("limit", fmt.Sprintf("must be 1 to %d", maxPage)))
		return defaultPage
	}
	return n
}

// profile reads the profile's name; "" is the default one.
func (p *params) profile() string {
	v, there := p.named("profile")
	if there && !jobs.ValidProfileName(v) {
		p.keep(errProfile)
	}
	return v
}

// song reads a song's id.
func (p *params) song() string {
	v, there := p.named("song")
	if there && !jobs.ValidSongID(v) {
		p.keep(errSongID)
	}
	return v
}

const (
	defaultPage = 50
	maxPage     = 500
)

var errProfile = invalidParam("profile", "must be 1 to 32 characters of a-z 0-9 -")

func invalidParam(name, must string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "invalid_parameter", title: "A parameter is malformed", detail: "the parameter '" + name + "' " + must}
}

// songText checks what a user typed. Whether it names a song is the resolver's
// business.
func songText(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", errSongMissing
	case !cleanText(text):
		return "", errSongText
	case len(text) <= MaxTextRunes:
	case looksLikeLink(text):
		if len(text) > MaxLinkBytes {
			return "", errSongTooLong
		}
	case utf8.RuneCountInString(text) > MaxTextRunes:
		return "", errSongTooLong
	}
	return text, nil
}

func cleanText(s string) bool {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c == 0x7f {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// looksLikeLink decides which bound holds, no more.
func looksLikeLink(text string) bool {
	text = strings.TrimPrefix(text, "<")
	scheme, _, ok := strings.Cut(text, "://")
	if !ok || len(scheme) > len("https") {
		host, _, _ := strings.Cut(text, "/")
		return !strings.ContainsFunc(text, unicode.IsSpace) && strings.Contains(host, ".")
	}
	return strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")
}

// idempotencyKey reads the header of draft-ietf-httpapi-idempotency-key-header:
// a string, in the quotes of a structured field or, as most clients send it,
// without.
func idempotencyKey(r *http.Request) (string, error) {
	keys := r.Header["Idempotency-Key"]
	if len(keys) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(keys[0])
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	if len(keys) > 1 || key == "" || len(key) > maxIdempotencyKey {
		return "", errIdemKey
	}
	for _, c := range []byte(key) {
		if c <= 0x20 || c > 0x7e {
			return "", errIdemKey
		}
	}
	return key, nil
}

// traceparent returns the header when it is one of W3C Trace Context level 1,
// "" otherwise: a broken one is to be ignored (section 4.3).
func traceparent(r *http.Request) string {
	values := r.Header["Traceparent"]
	if len(values) != 1 {
		return ""
	}
	v := values[0]
	const length = 55 // version 00
	if len(v) < length || v[2] != '-' || v[35] != '-' || v[52] != '-' || v[:2] == "ff" ||
		v[:2] == "00" && len(v) != length || len(v) > length && v[length] != '-' {
		return ""
	}
	if !hexDigits(v[:2]) || !hexDigits(v[3:35]) || !hexDigits(v[36:52]) || !hexDigits(v[53:55]) ||
		strings.Trim(v[3:35], "0") == "" || strings.Trim(v[36:52], "0") == "" {
		return ""
	}
	return v[:length]
}

func hexDigits(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// readJSON decodes a body of one JSON value into v. A member that v does not
// have is an error: a misspelt option must not be ignored.
func readJSON(r *http.Request, v any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return errMediaType
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return bodyError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if err != nil {
			return bodyError(err)
		}
		return errBody.detailed("there is more than one JSON value")
	}
	return nil
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var moment *time.ParseError
	switch {
	case errors.As(err, &tooLarge):
		return errBodyTooLarge
	case errors.Is(err, io.EOF):
		return errBody.detailed("the body is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errBody.detailed("the JSON ends too early")
	case errors.As(err, &syntax):
		return errBody.detailed(fmt.Sprintf("the JSON is broken at byte %d", syntax.Offset))
	case errors.As(err, &kind):
		if kind.Field == "" {
			return errBody.detailed("the JSON must be an object, not " + kind.Value)
		}
		return errBody.detailed(fmt.Sprintf("member %q can not be %s", kind.Field, kind.Value))
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return errBody.detailed(strings.TrimPrefix(err.Error(), "json: "))
	case errors.As(err, &moment), strings.HasPrefix(err.Error(), "Time.UnmarshalJSON"):
		return errBody.detailed("a time has to be one of RFC 3339")
	}
	return fmt.Errorf("read body: %w", err)
}

// Cursors are the store's own, wrapped so that one which was made up or cut off
// is told from a real one without asking the store.

func wrapCursor(c string) string {
	if c == "" {
		return ""
	}
	b := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(c)))
	return base64.RawURLEncoding.EncodeToString(append(b, c...))
}

func openCursor(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < 5 || crc32.ChecksumIEEE(b[4:]) != binary.BigEndian.Uint32(b) {
		return "", errCursor
	}
	return string(b[4:]), nil
}
