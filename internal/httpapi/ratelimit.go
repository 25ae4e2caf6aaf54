package httpapi

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limiter gives every client address a token bucket. It remembers the addresses
// that were seen last; whoever is forgotten starts with a full bucket, so
// that memory is bounded and nobody is punished for another's crowd.
type limiter struct {
	rate   float64 // tokens a second
	burst  float64
	max    int
	policy []string // the RateLimit-Policy header

	mu      sync.Mutex
	clients map[netip.Addr]*bucket
	recent  bucket // ring: recent.next was seen last, recent.prev longest ago
}

type bucket struct {
	addr       netip.Addr
	tokens     float64
	at         time.Time
	prev, next *bucket
}

func newLimiter(rate float64, burst, maxClients int) *limiter {
	window := max(1, int(math.Ceil(float64(burst)/rate)))
	l := &limiter{
		rate: rate, burst: float64(burst), max: maxClients,
		policy:  []string{`"client";q=` + strconv.Itoa(burst) + `;w=` + strconv.Itoa(window)},
		clients: make(map[netip.Addr]*bucket),
	}
	l.recent.prev, l.recent.next = &l.recent, &l.recent
	return l
}

// admit takes a token, and says in the headers of
// draft-ietf-httpapi-ratelimit-headers-10 what is left: r requests at once, and
// t seconds until the whole quota is there again.
func (l *limiter) admit(header http.Header, addr netip.Addr, now time.Time) error {
	left, ok := l.take(addr, now)
	header["Ratelimit-Policy"] = l.policy
	full := int(math.Ceil((l.burst - left) / l.rate))
	b := make([]byte, 0, 40)
	b = append(b, `"client";r=`...)
	b = strconv.AppendInt(b, int64(max(0, left)), 10)
	b = append(b, `;t=`...)
	b = strconv.AppendInt(b, int64(full), 10)
	header["Ratelimit"] = []string{string(b)}
	if ok {
		return nil
	}
	e := *errTooMany
	e.retryAfter = time.Duration((1 - left) / l.rate * float64(time.Second))
	return &e
}

func (l *limiter) take(addr netip.Addr, now time.Time) (left float64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.clients[addr]
	if b == nil {
		b = l.room()
		*b = bucket{addr: addr, tokens: l.burst, at: now}
		l.clients[addr] = b
	} else {
		b.prev.next, b.next.prev = b.next, b.prev
		if passed := now.Sub(b.at).Seconds(); passed > 0 {
			b.tokens = min(l.burst, b.tokens+passed*l.rate)
			b.at = now
		}
	}
	b.prev, b.next = &l.recent, l.recent.next
	b.prev.next, b.next.prev = b, b
	if b.tokens < 1 {
		return b.tokens, false
	}
	b.tokens--
	return b.tokens, true
}

// room returns a bucket outside the ring: a new one, or the one that was not
// used for longest.
func (l *limiter) room() *bucket {
	if len(l.clients) < l.max {
		return new(bucket)
	}
	b := l.recent.prev
	b.prev.next, b.next.prev = b.next, b.prev
	delete(l.clients, b.addr)
	return b
}

// clientAddr is the address that the rate limit counts: the peer's or, behind a
// trusted proxy, the last one in X-Forwarded-For that is no trusted proxy. An
// IPv6 host has the whole /64 at its disposal, so that is what counts.
func (h *Handler) clientAddr(r *http.Request) netip.Addr {
	addr := peer(r)
	if h.trusts(addr) {
		forwarded := strings.Join(r.Header["X-Forwarded-For"], ",")
		for forwarded != "" {
			cut := strings.LastIndexByte(forwarded, ',')
			a, err := netip.ParseAddr(strings.TrimSpace(forwarded[cut+1:]))
			if err != nil {
				break
			}
			addr = a.Unmap()
			if !h.trusts(addr) {
				break
			}
			forwarded = forwarded[:max(cut, 0)]
		}
	}
	if addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func (h *Handler) trusts(addr netip.Addr) bool {
	for _, p := range h.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
