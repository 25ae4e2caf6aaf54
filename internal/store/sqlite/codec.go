package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// codecVersion is the first byte of every stored record. A field that is added
// comes behind the last one under a new version; older versions stay readable.
const codecVersion = 2

var errCodec = errors.New("a stored record can not be read")

// coder writes or reads a record, field by field, by one list for both
// directions. Numbers are varints, strings and blobs carry their length, times
// are nanoseconds since 1970 in UTC, 0 being the zero time. Writing touches
// nothing: results and failures are shared with the callers.
type coder struct {
	b       []byte
	version byte
	reading bool
	err     error
}

// appendJob encodes a record behind what is in b.
func appendJob(b []byte, j *jobs.Job) []byte {
	c := coder{b: append(b, codecVersion), version: codecVersion}
	c.job(j)
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

func appendOperation(b []byte, o *jobs.Operation) []byte {
	c := coder{b: append(b, codecVersion), version: codecVersion}
	c.operation(o)
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
	if len(b) == 0 || b[0] < 1 || b[0] > codecVersion {
		return coder{}, fmt.Errorf("%w: unknown version", errCodec)
	}
	return coder{b: b[1:], version: b[0], reading: true}, nil
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
	c.lastFailure(&j.LastError)
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
	c.lastFailure(&o.Failure)
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
	c.duration(&i.Duration)
}

func (c *coder) duration(d *time.Duration) {
	v := int64(*d)
	c.number(&v)
	if c.reading {
		*d = time.Duration(v)
	}
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
	c.duration(&v.Duration)
	c.flag(&v.Transcoded)
	c.info(&v.Info)
}

func (c *coder) failures(all *[]jobs.Failure) {
	n := len(*all)
	c.count(&n)
	if c.reading {
		if n <= 0 || n > len(c.b) { // each takes more than a byte
			return
		}
		*all = make([]jobs.Failure, n)
	}
	for i := range *all {
		c.failure(&(*all)[i])
	}
}

func (c *coder) lastFailure(f **jobs.Failure) {
	there := *f != nil
	c.flag(&there)
	if !there || c.err != nil {
		return
	}
	if c.reading {
		*f = new(jobs.Failure)
	}
	c.failure(*f)
}

func (c *coder) failure(f *jobs.Failure) {
	text(c, &f.Class)
	text(c, &f.Code)
	text(c, &f.Message)
	text(c, &f.Detail)
	text(c, &f.Stage)
	text(c, &f.Host)
	text(c, &f.Worker)
	c.count(&f.Attempt)
	c.time(&f.At)
	c.time(&f.RetryAt)
	if c.version >= 2 {
		text(c, &f.Extractor)
		c.number(&f.Generation)
	}
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
	if c.reading {
		*n = int(v)
	}
}

func (c *coder) flag(f *bool) {
	v := int64(0)
	if *f {
		v = 1
	}
	c.number(&v)
	if c.reading {
		*f = v != 0
	}
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

// packID makes 16 bytes of a UUID; ok is false for any other text, which no
// record has as its id.
func packID(id string) (b []byte, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return nil, false
	}
	b = make([]byte, 16)
	at := 0
	for n := range b {
		if id[at] == '-' {
			at++
		}
		high, low := nibble(id[at]), nibble(id[at+1])
		if high|low > 15 {
			return nil, false
		}
		b[n] = high<<4 | low
		at += 2
	}
	return b, true
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// idRange is where the packed ids of a song's operations lie, as they begin with
// the song: first < id <= last.
func idRange(song jobs.Song) (first, last []byte) {
	low, _ := packID(jobs.NewOperationID(song, [8]byte{}))
	last, _ = packID(jobs.NewOperationID(song, [8]byte{255, 255, 255, 255, 255, 255, 255, 255}))
	return low[:len(low)-1], last // a prefix of the lowest id sorts before it
}

// rowKey is a job's key in the table: the song's id comes first, so that a song is
// found without its platform. What nearly all have in common is left out: the
// index of a million keys is half as large.
func rowKey(k jobs.Key) string {
	if k.Platform == jobs.PlatformYouTube && k.Profile == jobs.DefaultProfile && len(k.ID) == jobs.SongIDLength {
		return k.ID
	}
	return k.ID + ":" + k.Platform + ":" + k.Profile
}

// plainJobTimes brings a record to the form in which it is read from the table:
// UTC, and no monotonic clock.
func plainJobTimes(j *jobs.Job) {
	for _, t := range [...]*time.Time{
		&j.LeaseUntil, &j.RunAt, &j.DueAt, &j.ForgetAt, &j.CreatedAt, &j.GenerationAt, &j.UpdatedAt, &j.EndedAt,
	} {
		*t = t.UTC()
	}
}

func plainOperationTimes(o *jobs.Operation) {
	for _, t := range [...]*time.Time{&o.CreatedAt, &o.EndedAt, &o.DueAt, &o.ExpireAt} {
		*t = t.UTC()
	}
}
