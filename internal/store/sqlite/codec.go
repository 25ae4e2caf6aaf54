package sqlite

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// codecVersion is the first byte of every stored record. A field that is added
// comes behind the last one under a new version; older versions stay readable.
const codecVersion = 1

var errCodec = errors.New("a stored record can not be read")

// coder writes or reads a record, field by field, by one list for both
// directions. Numbers are varints, strings and blobs carry their length, times
// are nanoseconds since 1970 in UTC, 0 being the zero time.
type coder struct {
	b       []byte
	reading bool
	err     error
}

func encodeJob(j jobs.Job) []byte {
	c := coder{b: append(make([]byte, 0, 256), codecVersion)}
	c.job(&j)
	return c.b
}

func decodeJob(b []byte) (j jobs.Job, err error) {
	c, err := reader(b)
	if err != nil {
		return j, err
	}
	c.job(&j)
	return j, c.err
}

func encodeOperation(o jobs.Operation) []byte {
	c := coder{b: append(make([]byte, 0, 256), codecVersion)}
	c.operation(&o)
	return c.b
}

func decodeOperation(b []byte) (o jobs.Operation, err error) {
	c, err := reader(b)
	if err != nil {
		return o, err
	}
	c.operation(&o)
	return o, c.err
}

func reader(b []byte) (coder, error) {
	if len(b) == 0 || b[0] != codecVersion {
		return coder{}, fmt.Errorf("%w: unknown version", errCodec)
	}
	return coder{b: b[1:], reading: true}, nil
}

func (c *coder) job(j *jobs.Job) {
	c.key(&j.Key)
	text(c, &j.State)
	c.number(&j.Generation)
	c.number(&j.Fence)
	text(c, &j.Token)
	text(c, &j.Owner)
	c.time(&j.LeaseUntil)
	c.count(&j.Attempt)
	c.count(&j.Crashes)
	c.count(&j.Reached)
	c.count(&j.Replays)
	c.number(&j.Reopen)
	c.time(&j.RunAt)
	c.time(&j.DueAt)
	c.time(&j.ForgetAt)
	text(c, &j.Stage)
	c.number(&j.Progress.Done)
	c.number(&j.Progress.Total)
	c.info(&j.Info)
	text(c, &j.Requester)
	text(c, &j.Trace)
	cold(c, &j.LastError)
	c.failures(&j.History)
	c.result(&j.Result)
	c.time(&j.CreatedAt)
	c.time(&j.GenerationAt)
	c.time(&j.UpdatedAt)
	c.time(&j.EndedAt)
}

func (c *coder) operation(o *jobs.Operation) {
	text(c, &o.ID)
	c.key(&o.Key)
	text(c, &o.Requester)
	text(c, &o.Text)
	text(c, &o.State)
	c.number(&o.Generation)
	text(c, &o.Event)
	c.number(&o.JobGeneration)
	c.number(&o.After)
	c.count(&o.Attempts)
	c.result(&o.Result)
	cold(c, &o.Failure)
	c.time(&o.CreatedAt)
	c.time(&o.EndedAt)
	c.time(&o.DueAt)
	c.time(&o.ExpireAt)
}

func (c *coder) key(k *jobs.Key) {
	text(c, &k.Platform)
	text(c, &k.ID)
	text(c, &k.Profile)
}

func (c *coder) info(i *jobs.SongInfo) {
	text(c, &i.Title)
	text(c, &i.Artist)
	text(c, &i.URL)
	text(c, &i.Thumbnail)
	d := int64(i.Duration)
	c.number(&d)
	i.Duration = time.Duration(d)
}

func (c *coder) result(r **jobs.Result) {
	there := *r != nil
	c.flag(&there)
	if !there || c.err != nil {
		return
	}
	if c.reading {
		*r = new(jobs.Result)
	}
	v := *r
	text(c, &v.Path)
	c.number(&v.Bytes)
	text(c, &v.SHA256)
	c.number(&v.Frames)
	d := int64(v.Duration)
	c.number(&d)
	c.flag(&v.Transcoded)
	if c.reading {
		v.Duration = time.Duration(d)
	}
	c.info(&v.Info)
}

func (c *coder) failures(all *[]jobs.Failure) {
	var p *[]jobs.Failure
	if len(*all) > 0 {
		p = all
	}
	cold(c, &p)
	if c.reading && p != nil {
		*all = *p
	}
}

// cold holds what is rarely there as JSON.
func cold[T any](c *coder, p **T) {
	var raw string
	if !c.reading && *p != nil {
		b, err := json.Marshal(*p)
		if err != nil {
			c.err = err
			return
		}
		raw = string(b)
	}
	text(c, &raw)
	if !c.reading || raw == "" || c.err != nil {
		return
	}
	v := new(T)
	if err := json.Unmarshal([]byte(raw), v); err != nil {
		c.err = fmt.Errorf("%w: %w", errCodec, err)
		return
	}
	*p = v
}

func (c *coder) number(n *int64) {
	if !c.reading {
		c.b = binary.AppendVarint(c.b, *n)
		return
	}
	v, size := binary.Varint(c.b)
	if size <= 0 {
		c.fail()
		return
	}
	*n, c.b = v, c.b[size:]
}

func (c *coder) count(n *int) {
	v := int64(*n)
	c.number(&v)
	*n = int(v)
}

func (c *coder) flag(f *bool) {
	v := int64(0)
	if *f {
		v = 1
	}
	c.number(&v)
	*f = v != 0
}

func (c *coder) time(t *time.Time) {
	v := nanos(*t)
	c.number(&v)
	if c.reading {
		*t = fromNanos(v)
	}
}

func text[S ~string](c *coder, s *S) {
	n := int64(len(*s))
	c.number(&n)
	if !c.reading {
		c.b = append(c.b, *s...)
		return
	}
	if n < 0 || n > int64(len(c.b)) {
		c.fail()
		return
	}
	*s, c.b = S(c.b[:n]), c.b[n:]
}

func (c *coder) fail() {
	c.err = errCodec
	c.b = nil
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// packID makes 16 bytes of a UUID. Any other text stays as it is. The order of
// ids is kept.
func packID(id string) []byte {
	if len(id) == 36 && id == strings.ToLower(id) {
		if b, err := hex.DecodeString(strings.ReplaceAll(id, "-", "")); err == nil && len(b) == 16 {
			return b
		}
	}
	return []byte(id)
}
