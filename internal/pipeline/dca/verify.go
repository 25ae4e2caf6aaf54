package dca

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// maxProblems is how many faults a Report lists; the others are counted.
const maxProblems = 16

// Report is what [Verify] found out about a file.
type Report struct {
	Version      int            `json:"version"`            // 0 or 1
	Metadata     *Metadata      `json:"metadata,omitempty"` // nil for DCA0 or an unreadable header
	HeaderBytes  int64          `json:"header_bytes"`       // magic, length and JSON
	Frames       int64          `json:"frames"`             // whole frames
	Bytes        int64          `json:"bytes"`              // size of the file, as far as it was read
	Duration     time.Duration  `json:"duration_ns"`        // of the frames by their own account
	MinFrame     int            `json:"min_frame_bytes"`
	MaxFrame     int            `json:"max_frame_bytes"`
	AverageFrame int            `json:"average_frame_bytes"` // rounded
	Bitrate      int            `json:"bitrate"`             // bits per second of the packets without length fields
	SHA256       string         `json:"sha256"`              // hex, of everything that was read; empty after a read error
	Problems     []*FormatError `json:"problems,omitempty"`  // the first 16 in the order of the file
	ProblemCount int64          `json:"problem_count"`
}

// Verify reads a whole file and checks everything that can be checked: structure, required keys,
// and that each frame is an Opus packet of 20 ms, as samples says: the length of a
// packet at 48 kHz, or an error if it is none. With samples nil, frames are taken for granted.
//
// The error is nil exactly if the file is valid. Otherwise it is the first problem, a
// [*FormatError], or what the source returned. The report covers what was read, also with an error: a
// fault of the structure ends the frames there, but the hash and the size always
// cover the whole input unless reading failed.
//
// Nothing in the format shows that whole frames are missing at the end; compare Frames or SHA256 with
// what was recorded when the file was written.
func Verify(r io.Reader, samples func(packet []byte) (int, error)) (Report, error) {
	v := verifier{samples: samples, hash: newCountingHash()}
	in := io.TeeReader(r, v.hash)
	err := v.frames(NewReader(in))
	var fault *FormatError
	switch {
	case errors.As(err, &fault):
		v.problem(fault)
	case err != nil:
		v.finish()
		return v.report, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		v.finish()
		return v.report, readError(err)
	}
	v.finish()
	v.report.SHA256 = v.hash.sum()
	if len(v.report.Problems) > 0 {
		return v.report, v.report.Problems[0]
	}
	return v.report, nil
}

type verifier struct {
	samples func([]byte) (int, error)
	hash    *countingHash
	report  Report
	total   int64 // samples
	payload int64 // bytes of all frames
}

// frames reads to the end. The error is the one that ended it before.
func (v *verifier) frames(d *Reader) error {
	version, err := d.Version()
	if err != nil {
		return err
	}
	v.report.Version, v.report.HeaderBytes = version, d.Offset()
	if version == 1 {
		if err := v.metadata(d); err != nil {
			return err
		}
	}
	for {
		at := d.Offset()
		frame, err := d.Next()
		if err == io.EOF { //nolint:errorlint // Next's own mark
			if v.report.Frames == 0 {
				v.problem(&FormatError{CodeNoFrames, at, -1, "no frames"})
			}
			return nil
		}
		if err != nil {
			return err
		}
		v.frame(frame, at)
	}
}

func (v *verifier) frame(frame []byte, at int64) {
	number, size := v.report.Frames, len(frame)
	v.report.Frames++
	v.payload += int64(size)
	v.report.MaxFrame = max(v.report.MaxFrame, size)
	if number == 0 || size < v.report.MinFrame {
		v.report.MinFrame = size
	}
	if size > MaxFrameBytes {
		v.problem(&FormatError{CodeFrameTooBig, at, number, fmt.Sprintf("%d bytes, the limit is %d", size, MaxFrameBytes)})
	}
	n := FrameSamples
	if v.samples != nil {
		var err error
		if n, err = v.samples(frame); err != nil {
			v.problem(&FormatError{CodeFrameInvalid, at, number, err.Error()})
			return
		}
	}
	v.total += int64(n)
	if n != FrameSamples {
		v.problem(&FormatError{CodeFrameDuration, at, number, fmt.Sprintf("%d samples, want %d", n, FrameSamples)})
	}
}

// requiredKeys are those that the specification demands. Readers in use fail on some of them.
var requiredKeys = map[string][]string{
	"dca":   {"version", "tool"},
	"opus":  {"mode", "sample_rate", "frame_size", "abr", "vbr", "channels"},
	"extra": nil,
}

// metadata checks the header's keys and values.
func (v *verifier) metadata(d *Reader) error {
	m, err := d.Metadata()
	if err != nil {
		return err
	}
	v.report.Metadata = &m
	raw, err := d.RawMetadata()
	if err != nil {
		return err
	}
	var missing []string
	top := object(raw)
	for key, inner := range requiredKeys {
		if top[key] == nil {
			missing = append(missing, key)
			continue
		}
		members := object(top[key])
		for _, name := range inner {
			if _, ok := members[name]; !ok {
				missing = append(missing, key+"."+name)
			}
		}
	}
	tool := object(object(top["dca"])["tool"])
	for _, name := range []string{"name", "version"} {
		if _, ok := tool[name]; !ok {
			missing = append(missing, "dca.tool."+name)
		}
	}
	slices.Sort(missing)
	for _, key := range missing {
		v.headerProblem(CodeHeaderKey, "%s is missing", key)
	}
	if len(missing) == 0 {
		v.values(m)
	}
	return nil
}

// values checks what a player takes from the header.
func (v *verifier) values(m Metadata) {
	if m.DCA.Version != 1 {
		v.headerProblem(CodeHeaderValue, "dca.version is %d, want 1", m.DCA.Version)
	}
	if m.Opus.SampleRate != 48000 {
		v.headerProblem(CodeHeaderValue, "opus.sample_rate is %d, want 48000", m.Opus.SampleRate)
	}
	if m.Opus.Channels != 1 && m.Opus.Channels != 2 {
		v.headerProblem(CodeHeaderValue, "opus.channels is %d, want 1 or 2", m.Opus.Channels)
	}
	// Samples, samples times channels, or bytes: programs differ.
	if size := m.Opus.FrameSize; size != FrameSamples && size != FrameSamples*2 && size != FrameSamples*4 {
		v.headerProblem(CodeHeaderValue, "opus.frame_size is %d, want 960, 1920 or 3840", size)
	}
}

func (v *verifier) headerProblem(code Code, format string, args ...any) {
	v.problem(&FormatError{code, prefixSize, -1, fmt.Sprintf(format, args...)})
}

func (v *verifier) problem(p *FormatError) {
	v.report.ProblemCount++
	if len(v.report.Problems) < maxProblems {
		v.report.Problems = append(v.report.Problems, p)
	}
}

// finish computes what is derived.
func (v *verifier) finish() {
	r := &v.report
	r.Bytes = v.hash.n
	// In two steps, because a small file can claim enough to overflow.
	r.Duration = time.Duration(v.total/48000)*time.Second + time.Duration(v.total%48000)*time.Second/48000
	if r.Frames > 0 {
		r.AverageFrame = int((v.payload + r.Frames/2) / r.Frames)
	}
	if v.total > 0 {
		r.Bitrate = int(v.payload * 8 * 48000 / v.total)
	}
}

// object returns the members of a JSON object, none if raw is something else.
func object(raw json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil
	}
	return members
}

// countingHash is a SHA-256 that also counts.
type countingHash struct {
	n    int64
	hash interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func newCountingHash() *countingHash { return &countingHash{hash: sha256.New()} }

func (c *countingHash) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.hash.Write(b)
}

func (c *countingHash) sum() string { return hex.EncodeToString(c.hash.Sum(nil)) }
