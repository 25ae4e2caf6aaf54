package pipeline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

// TOC bytes of packets with one frame, stereo.
const (
	celt10 = 30<<3 | 4 // full band, 10 ms
	celt20 = 31<<3 | 4 // full band, 20 ms
	silk40 = 10<<3 | 4 // wide band, 40 ms
)

// packets returns n packets of size bytes, valid as to their structure and random
// otherwise.
func packets(n, size int, toc byte) [][]byte {
	random := rand.New(rand.NewPCG(uint64(n), uint64(toc)))
	all := make([][]byte, n)
	for i := range all {
		all[i] = make([]byte, size)
		for j := range all[i] {
			all[i][j] = byte(random.UintN(256))
		}
		all[i][0] = toc
	}
	return all
}

var stereo = opus.Head{Version: 1, Channels: 2, PreSkip: 312, InputRate: 48000}

// oggOpus puts packets into an Ogg file.
func oggOpus(t testing.TB, head opus.Head, packets [][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := ogg.NewWriter(&b, 7)
	check(t, w.WriteHeaders(head.Append(nil), nil))
	for _, p := range packets {
		n, err := opus.Samples(p)
		check(t, err)
		check(t, w.WritePacket(p, n))
	}
	check(t, w.Close(0))
	return b.Bytes()
}

// element is an EBML element; size -1 is unknown.
func element(id string, size int, content ...[]byte) []byte {
	b := append([]byte(id), 0x01)
	if size < 0 {
		b = append(b, bytes.Repeat([]byte{0xFF}, 7)...)
	} else {
		b = binary.BigEndian.AppendUint64(b, uint64(len(slices.Concat(content...))))
		b = slices.Delete(b, len(id)+1, len(id)+2) // seven bytes of eight
	}
	return append(b, slices.Concat(content...)...)
}

// webmOpus puts packets of 20 ms into a WebM file, 50 to a cluster.
func webmOpus(head []byte, packets [][]byte, live bool, duration time.Duration) []byte {
	size := 0
	if live {
		size = -1
	}
	var clusters []byte
	for group := range slices.Chunk(packets, 50) {
		content := element("\xe7", 0, []byte{0})
		for _, p := range group {
			content = append(content, element("\xa3", 0, []byte("\x81\x00\x00\x80"), p)...)
		}
		clusters = append(clusters, element("\x1f\x43\xb6\x75", size, content)...)
	}
	ticks := binary.BigEndian.AppendUint64(nil, math.Float64bits(float64(duration.Milliseconds())))
	info := element("\x15\x49\xa9\x66", 0, element("\x2a\xd7\xb1", 0, []byte{0x0F, 0x42, 0x40}), element("\x44\x89", 0, ticks))
	track := [][]byte{element("\xd7", 0, []byte{1}), element("\x83", 0, []byte{2}), element("\x86", 0, []byte("A_OPUS")),
		element("\xe1", 0, element("\x9f", 0, []byte{2}))}
	if head != nil {
		track = append(track, element("\x63\xa2", 0, head))
	}
	return slices.Concat(
		element("\x1a\x45\xdf\xa3", 0, element("\x42\x82", 0, []byte("webm"))),
		element("\x18\x53\x80\x67", size, info, element("\x16\x54\xae\x6b", 0, element("\xae", 0, track...)), clusters),
	)
}

// wav is a tone of 16 bits, mono, 48 kHz.
func wav(d time.Duration) []byte {
	n := int(d.Seconds() * 48000)
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, 48000)
	b = binary.LittleEndian.AppendUint32(b, 96000)
	b = append(b, 2, 0, 16, 0)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*n))
	for i := range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(8000*math.Sin(float64(i)*0.06))))
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// source is a Source with one song.
type source struct {
	media []byte
	size  int64 // announced; -1: what media has
	info  jobs.SongInfo
	lasts time.Duration // announced
	fail  error         // of Open
	body  func(ctx context.Context, r io.Reader) io.Reader

	mu     sync.Mutex
	opened int
	read   int64
	closed int
}

func (s *source) Open(ctx context.Context, _ jobs.Song) (*pipeline.Media, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	if s.fail != nil {
		return nil, s.fail
	}
	size := s.size
	if size < 0 {
		size = int64(len(s.media))
	}
	var r io.Reader = bytes.NewReader(s.media)
	if s.body != nil {
		r = s.body(ctx, r)
	}
	return &pipeline.Media{Body: &body{source: s, Reader: r}, Size: size, Duration: s.lasts, Info: s.info}, nil
}

type body struct {
	io.Reader
	source *source
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.source.mu.Lock()
	b.source.read += int64(n)
	b.source.mu.Unlock()
	return n, err
}

func (b *body) Close() error {
	b.source.mu.Lock()
	b.source.closed++
	b.source.mu.Unlock()
	return nil
}

// blobs are Blobs in memory whose steps can be made to fail.
type blobs struct {
	create, write, commit, stat error
	onCommit                    func() // before it

	mu     sync.Mutex
	files  map[string]file
	torn   map[string]bool // not whole
	open   int             // uploads that have not ended
	writes int
}

type file struct {
	data []byte
	meta pipeline.BlobMeta
}

func (b *blobs) Create(_ context.Context, key string) (pipeline.Upload, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.create != nil {
		return nil, b.create
	}
	b.open++
	return &upload{blobs: b, key: key}, nil
}

func (b *blobs) Stat(_ context.Context, key string) (pipeline.BlobInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, ok := b.files[key]
	switch {
	case b.stat != nil:
		return pipeline.BlobInfo{}, b.stat
	case b.torn[key]:
		return pipeline.BlobInfo{}, pipeline.ErrNotWhole
	case !ok:
		return pipeline.BlobInfo{}, jobs.ErrNotFound
	}
	return pipeline.BlobInfo{Key: key, Bytes: int64(len(f.data)), Meta: f.meta}, nil
}

func (b *blobs) Open(context.Context, string, int64) (io.ReadCloser, error) {
	return nil, jobs.ErrNotFound
}
func (b *blobs) Remove(context.Context, string) error { return nil }
func (b *blobs) List(context.Context, string, string, int) ([]pipeline.BlobInfo, error) {
	return nil, nil
}

func (b *blobs) put(key string, f file) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.files == nil {
		b.files = map[string]file{}
	}
	b.files[key] = f
	delete(b.torn, key)
}

type upload struct {
	blobs *blobs
	key   string
	data  []byte
	ended bool
}

func (u *upload) Write(p []byte) (int, error) {
	u.blobs.mu.Lock()
	defer u.blobs.mu.Unlock()
	u.blobs.writes++
	if u.blobs.write != nil {
		return 0, u.blobs.write
	}
	u.data = append(u.data, p...)
	return len(p), nil
}

func (u *upload) Commit(_ context.Context, meta pipeline.BlobMeta, replace bool) error {
	if err := u.Abort(); err != nil {
		return err
	}
	if u.blobs.onCommit != nil {
		u.blobs.onCommit()
	}
	if u.blobs.commit != nil {
		return u.blobs.commit
	}
	u.blobs.mu.Lock()
	_, there := u.blobs.files[u.key]
	there = there || u.blobs.torn[u.key]
	u.blobs.mu.Unlock()
	if there && !replace {
		return pipeline.ErrExists
	}
	u.blobs.put(u.key, file{u.data, meta})
	return nil
}

func (u *upload) Abort() error {
	u.blobs.mu.Lock()
	defer u.blobs.mu.Unlock()
	if !u.ended {
		u.ended = true
		u.blobs.open--
	}
	return nil
}

// framesOf reads the packets of a DCA file, which has to be valid in every way.
func framesOf(t testing.TB, data []byte) [][]byte {
	t.Helper()
	if _, err := dca.Verify(bytes.NewReader(data), opus.Samples); err != nil {
		t.Fatalf("not a valid file: %v", err)
	}
	var all [][]byte
	for r := dca.NewReader(bytes.NewReader(data)); ; {
		frame, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		check(t, err)
		all = append(all, slices.Clone(frame))
	}
}

// job is a job for the one song that there is.
func job(profile, title string) jobs.Job {
	return jobs.Job{
		Key:  jobs.Key{Song: jobs.Song{Platform: jobs.PlatformDemo, ID: "abcdefghijk"}, Profile: profile},
		Info: jobs.SongInfo{Title: title},
	}
}

func quiet(jobs.Stage, jobs.Progress, jobs.SongInfo) {}
