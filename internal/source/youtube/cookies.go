package youtube

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cookies is what a file of cookies is worth. It holds no value of any cookie.
type Cookies struct {
	Count    int       `json:"count"` // of YouTube's
	SignedIn bool      `json:"signed_in"`
	Expires  time.Time `json:"expires,omitzero"`  // the first of those that make the session
	Modified time.Time `json:"modified,omitzero"` // of the file
	Rotated  bool      `json:"rotated,omitempty"` // YouTube said that they are no longer valid

	digest string // tells these cookies from others; "" where none are usable
}

// Errors of a file of cookies.
var (
	ErrCookiesJSON   = errors.New("the file is JSON; export it in the Netscape format (cookies.txt) instead")
	ErrCookiesFormat = errors.New("the file is not in the Netscape format: it should begin with the line # Netscape HTTP Cookie File")
	ErrCookiesGuest  = errors.New("nobody is signed in with these cookies: LOGIN_INFO and SAPISID (or __Secure-1PAPISID, __Secure-3PAPISID) are needed")
	ErrCookiesOld    = errors.New("the session in these cookies has expired; export them anew")
)

const (
	maxCookieFile = 1 << 20
	httpOnly      = "#HttpOnly_" // belongs to the domain, whatever it looks like
)

// session cookies are the ones whose end is the session's.
var sessionCookies = []string{"LOGIN_INFO", "SAPISID", "__Secure-1PAPISID", "__Secure-3PAPISID", "SID", "__Secure-1PSID", "__Secure-3PSID"}

// ReadCookies reads and judges a file of cookies, without keeping it.
func ReadCookies(path string, now time.Time) (Cookies, error) {
	_, c, err := loadCookies(path, now)
	return c, err
}

// loadCookies also returns the file's lines that are YouTube's, for a private
// copy.
func loadCookies(path string, now time.Time) ([]byte, Cookies, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, Cookies{}, errors.New("the file of cookies can not be read") // its path is nobody's business
	}
	if info.Size() > maxCookieFile {
		return nil, Cookies{}, errors.New("the file of cookies is larger than 1 MiB")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, Cookies{}, errors.New("the file of cookies can not be read")
	}
	kept, c, err := parseCookies(text, now)
	c.Modified = info.ModTime()
	if err == nil {
		sum := sha256.Sum256(kept)
		c.digest = hex.EncodeToString(sum[:8])
	}
	return kept, c, err
}

// parseCookies reads the Netscape format: seven fields separated by tabs.
func parseCookies(text []byte, now time.Time) ([]byte, Cookies, error) {
	var c Cookies
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	start := bytes.TrimSpace(text)
	if len(start) > 0 && (start[0] == '[' || start[0] == '{') {
		return nil, c, ErrCookiesJSON
	}
	first, _, _ := strings.Cut(string(start), "\n")
	if !strings.HasPrefix(first, "# Netscape HTTP Cookie File") && !strings.HasPrefix(first, "# HTTP Cookie File") {
		return nil, c, ErrCookiesFormat
	}
	kept := []byte("# Netscape HTTP Cookie File\n")
	names := map[string]bool{}
	expired := false
	number := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		number++
		line = strings.TrimSuffix(line, "\r")
		body, marked := strings.CutPrefix(line, httpOnly)
		if strings.TrimSpace(body) == "" || !marked && strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(body, "\t")
		if len(fields) != 7 {
			return nil, c, fmt.Errorf("line %d of the cookies has %d fields, not 7 separated by tabs", number, len(fields))
		}
		if !isCookieDomain(fields[0]) {
			continue
		}
		expires, err := strconv.ParseFloat(fields[4], 64)
		if fields[4] != "" && err != nil {
			return nil, c, fmt.Errorf("line %d of the cookies has no proper time of expiry", number)
		}
		name := fields[5]
		session := slices.Contains(sessionCookies, name)
		if expires > 0 {
			at := time.Unix(int64(expires), 0).UTC()
			if !at.After(now) {
				expired = expired || session
				continue
			}
			if session && (c.Expires.IsZero() || at.Before(c.Expires)) {
				c.Expires = at
			}
		}
		c.Count++
		names[name] = fields[6] != ""
		kept = append(append(kept, line...), '\n')
	}
	c.SignedIn = names["LOGIN_INFO"] && (names["SAPISID"] || names["__Secure-1PAPISID"] || names["__Secure-3PAPISID"])
	switch {
	case !c.SignedIn && expired:
		return nil, c, ErrCookiesOld
	case !c.SignedIn:
		return nil, c, ErrCookiesGuest
	}
	return kept, c, nil
}

func isCookieDomain(domain string) bool {
	domain = strings.ToLower(strings.TrimPrefix(domain, "."))
	return domain == "youtube.com" || strings.HasSuffix(domain, ".youtube.com")
}
