package double

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mediaHost is in every media link. Its first part names a cache that nobody
// has; what is asked of it comes through the proxy or the base URL.
const mediaHost = "rr3---sn-double.googlevideo.com"

// link signs a link to a format, for one identity.
func (d *Double) link(s Song, f Format, identity string, expire time.Time, length int64) string {
	d.mu.Lock()
	epoch := d.epoch
	d.mu.Unlock()
	q := [][2]string{
		{"expire", strconv.FormatInt(expire.Unix(), 10)},
		{"ei", fmt.Sprintf("e%d", epoch)},
		{"ip", "127.0.0.1"},
		{"id", "o-" + hex.EncodeToString([]byte(s.ID))},
		{"itag", strconv.Itoa(f.Itag)},
		{"source", "youtube"},
		{"requiressl", "yes"},
		{"xpc", "EgVo2aDSNQ=="},
		{"mime", strings.SplitN(f.Mime, ";", 2)[0]},
		{"clen", strconv.FormatInt(length, 10)},
		{"dur", fmt.Sprintf("%.3f", f.Duration.Seconds())},
		{"lmt", s.modified()},
		{"c", identity},
	}
	if tags := f.xtags(); tags != "" {
		q = append(q, [2]string{"xtags", tags})
	}
	var names []string
	var query strings.Builder
	for _, p := range q {
		names = append(names, p[0])
		query.WriteString(p[0] + "=" + url.QueryEscape(p[1]) + "&")
	}
	query.WriteString("sparams=" + url.QueryEscape(strings.Join(names, ",")))
	u := "https://" + mediaHost + "/videoplayback?" + query.String()
	values, err := url.ParseQuery(query.String())
	if err != nil {
		return ""
	}
	return u + "&sig=" + d.sign(values)
}

func (f Format) xtags() string {
	switch {
	case f.DRC:
		return "drc=1"
	case f.Language != "" && f.Original:
		return "acont=original:lang=" + f.Language
	case f.Language != "":
		return "acont=dubbed-auto:lang=" + f.Language
	}
	return ""
}

// sign returns the signature of a link, and remembers it among the secrets.
func (d *Double) sign(q url.Values) string {
	mac := hmac.New(sha256.New, d.secret)
	for _, name := range strings.Split(q.Get("sparams"), ",") {
		fmt.Fprintf(mac, "%s=%s\n", name, q.Get(name))
	}
	sig := "AOq0QJ8w" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.given[sig] = true
	return sig
}

// valid tells whether a link was given out by us and is not too old.
func (d *Double) valid(q url.Values) bool {
	needed := []string{"expire", "ei", "id", "itag", "c"}
	signed := strings.Split(q.Get("sparams"), ",")
	for _, name := range needed {
		if !slices.Contains(signed, name) {
			return false
		}
	}
	if !hmac.Equal([]byte(q.Get("sig")), []byte(d.sign(q))) {
		return false
	}
	expire, err := strconv.ParseInt(q.Get("expire"), 10, 64)
	if err != nil || d.now().Unix() >= expire {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return q.Get("ei") == fmt.Sprintf("e%d", d.epoch)
}

// ExpireLinks makes every link that was given out so far too old.
func (d *Double) ExpireLinks() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.epoch++
}

// Secrets returns what must not be seen in any log: signatures of links,
// visitor ids, and keys that were sent.
func (d *Double) Secrets() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]string, 0, len(d.given))
	for s := range d.given {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func (d *Double) keepSecret(s string) {
	if len(s) < 6 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.given[s] = true
}

// challenge is what n is before the player's script has turned it.
const challenge = "kR2vXq8sLmTnB4cD"

// challenged puts n into the link of an identity that has to turn it.
func (d *Double) challenged(link string, who Identity) string {
	if who.Media != Challenge {
		return link
	}
	return strings.Replace(link, "&sparams=", "&n="+challenge+"&sparams=", 1)
}

// turned tells whether n is as the script leaves it.
func turned(n string) bool {
	b := []byte(challenge)
	slices.Reverse(b)
	return n == "w"+string(b)
}

// scramble is what unscramble in the player's script undoes.
func scramble(sig string) string {
	b := []byte(sig)
	at := 17 % len(b)
	b[0], b[at] = b[at], b[0]
	slices.Reverse(b)
	return "xY" + string(b)
}

// Link returns a link to a song's media as an identity would be given it, but to
// the double's own address. "" if there is no such song or format.
func (d *Double) Link(id string, itag int, identity string) string {
	song, ok := d.song(id)
	f := song.Format(itag)
	if !ok || f.Itag == 0 {
		return ""
	}
	link := d.link(song, f, identity, d.now().Add(d.options.LinkTTL), int64(len(f.Data)))
	return d.URL + strings.TrimPrefix(link, "https://"+mediaHost)
}
