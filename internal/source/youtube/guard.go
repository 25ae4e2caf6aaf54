package youtube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// errForbiddenHost refuses to ask a host that is none of YouTube's.
var errForbiddenHost = errors.New("this host is not on the list")

// receiveBuffer bounds what the kernel takes in while nobody reads, so that a
// slow consumer slows the sender down. The kernel doubles it.
const receiveBuffer = 128 << 10

// guard is the only way out to the network: it knows which hosts may be asked,
// puts the configured base in YouTube's place, and refuses at dial time to reach
// private addresses through a public name.
type guard struct {
	base, api *url.URL // nil: YouTube's own
	transport *http.Transport
	named     sync.Map // host:port that settings name: may be private
}

func newGuard(base, api, proxy string) (*guard, error) {
	g := &guard{}
	var err error
	if g.base, err = parseBase(base); err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	if g.api, err = parseBase(api); err != nil {
		return nil, fmt.Errorf("base URL of the Data API: %w", err)
	}
	for _, u := range []*url.URL{g.base, g.api} {
		if u != nil {
			g.named.Store(hostPort(u), true)
		}
	}
	via := http.ProxyFromEnvironment
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil || u.Host == "" {
			return nil, errors.New("proxy: not an address such as http://host:port") // the cause would quote its password
		}
		via = http.ProxyURL(u)
	}
	g.transport = &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			u, err := via(r)
			if err == nil && u != nil {
				g.named.Store(hostPort(u), true)
			}
			return u, err
		},
		DialContext:           g.dial,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 15 * time.Second,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   16,
	}
	return g, nil
}

func parseBase(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, errors.New("not scheme and host alone, such as https://host:port")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// RoundTrip implements http.RoundTripper. Redirects come through here again,
// one by one.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	target, err := g.target(r.URL)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // as RoundTrippers must
		}
		return nil, err
	}
	if target != r.URL {
		r = r.Clone(r.Context())
		r.URL, r.Host = target, ""
	}
	return g.transport.RoundTrip(r)
}

// target says where a request really goes.
func (g *guard) target(u *url.URL) (*url.URL, error) {
	host := strings.ToLower(u.Hostname())
	for _, configured := range []*url.URL{g.base, g.api} {
		if configured != nil && configured.Scheme == u.Scheme && hostPort(configured) == hostPort(u) {
			return u, nil
		}
	}
	switch {
	case u.User != nil || u.Scheme != "https" && u.Scheme != "http" || u.Port() != "" && u.Port() != "443" && u.Port() != "80":
	case isYouTube(host):
		if g.base == nil {
			return overTLS(u), nil
		}
		moved := *u
		moved.Scheme, moved.Host = g.base.Scheme, g.base.Host
		return &moved, nil
	case host == "googleapis.com" || strings.HasSuffix(host, ".googleapis.com"):
		return overTLS(u), nil
	}
	return nil, fmt.Errorf("%w: %.80q", errForbiddenHost, u.Host)
}

func overTLS(u *url.URL) *url.URL {
	if u.Scheme == "https" && u.Port() != "80" {
		return u
	}
	secure := *u
	secure.Scheme, secure.Host = "https", u.Hostname()
	return &secure
}

func isYouTube(host string) bool {
	return host == "youtube.com" || strings.HasSuffix(host, ".youtube.com") || host == "youtu.be" ||
		strings.HasSuffix(host, ".googlevideo.com") || host == "i.ytimg.com"
}

// dial refuses addresses that a public name must not lead to.
func (g *guard) dial(ctx context.Context, network, target string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if _, named := g.named.Load(strings.ToLower(target)); !named {
		d.Control = func(_, resolved string, _ syscall.RawConn) error { return publicOnly(resolved) }
	}
	conn, err := d.DialContext(ctx, network, target)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(receiveBuffer) // a kernel that refuses only buffers more
	}
	return conn, nil
}

// Ranges that netip does not call private and that are nobody's public address.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks, RFC 2544
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), // NAT64 could lead inside again
	netip.MustParsePrefix("2002::/16"),    // and so could 6to4
}

func publicOnly(resolved string) error {
	to, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return fmt.Errorf("%w: %q", errForbiddenHost, resolved)
	}
	ip := to.Addr().Unmap()
	bad := !ip.IsGlobalUnicast() || ip.IsPrivate()
	for _, r := range reserved {
		bad = bad || r.Contains(ip)
	}
	if bad {
		return fmt.Errorf("%w: it leads to an internal address", errForbiddenHost)
	}
	return nil
}

// redirects bounds how far an answer may lead.
func redirects(_ *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("too many redirects")
	}
	return nil
}

// transportError is the verdict on a request that got no answer.
func transportError(clean *redactor, err error) error {
	if e := asError(err); e != nil {
		return e
	}
	if errors.Is(err, errForbiddenHost) {
		return fail(CodeUpstream, fmt.Errorf("a link or redirect was not followed: %w", clean.err(err)))
	}
	return fail(CodeNetwork, clean.err(err))
}
