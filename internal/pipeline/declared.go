package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// declared is what a file says of itself, read without decoding it. A decoder
// takes the end of a truncated file for its end; only this tells.
type declared struct {
	format   *format       // the sniffed one, or what lies behind a tag
	duration time.Duration // 0: not declared
	least    time.Duration // what of it must come out at least; duration unless parts may be skipped
	exact    bool          // worth comparing
}

// absurd is the length from which on a declaration is taken for nonsense.
const absurd = 7 * 24 * time.Hour

// errDamaged is the kind of a structure that can not be.
var errDamaged = errors.New("damaged")

// declare reads the structure of a spooled file. The error says that the file
// is cut or contradicts itself; what merely says nothing is no error.
func declare(r io.ReaderAt, size int64, kind *format) (declared, error) {
	d := declared{format: kind}
	var err error
	switch kind {
	case formatWAV:
		err = d.wav(r, size)
	case formatAIFF:
		err = d.aiff(r, size)
	case formatFLAC:
		err = d.flac(r, 0)
	case formatMP4:
		err = d.mp4(r, size)
	case formatMP3, formatADTS:
		err = d.mpeg(r, size)
	case formatOgg:
		err = d.ogg(r, size)
	case formatWebM:
		err = d.webm(r, size)
	}
	if err != nil {
		return d, fmt.Errorf("%s: %w", d.format.name, err)
	}
	if d.duration < 0 || d.duration > absurd {
		d.duration, d.exact = 0, false
	}
	if d.least <= 0 || d.least > d.duration {
		d.least = d.duration
	}
	d.exact = d.exact && d.duration > 0
	return d, nil
}

// check compares what came out with what was declared.
func (d declared) check(f *feed, lasts time.Duration) error {
	if !d.exact || near(lasts, d.duration, time.Second/2, 100) || lasts >= d.least-slack(d.least) && lasts <= d.duration {
		return nil
	}
	err := fmt.Errorf("%v could be decoded, the file declares %v", lasts, d.duration)
	if lasts < d.least {
		return truncated(f, err)
	}
	return jobs.Permanent(CodeUnreadable, "the file contradicts itself", err)
}

// slack is by how much a decoded file may miss its declared duration: encoders'
// delays and padding, and rounding.
func slack(d time.Duration) time.Duration { return max(time.Second/2, d/100) }

// samples sets the duration of n samples at a rate in Hz.
func (d *declared) samples(n, rate float64) {
	if rate <= 0 || n <= 0 {
		return
	}
	seconds := n / rate
	if math.IsNaN(seconds) || seconds > absurd.Seconds() {
		return
	}
	d.duration, d.exact = time.Duration(seconds*float64(time.Second)), true
}

// readAt fills b, or says that the file ends before.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// maxChunks bounds the walk through a file's parts.
const maxChunks = 1 << 16

// wav reads RIFF/WAVE, and RF64 with its 64-bit sizes (EBU Tech 3306).
func (d *declared) wav(r io.ReaderAt, size int64) error {
	var head [44]byte
	if err := readAt(r, head[:12], 0); err != nil {
		return err
	}
	var long int64 // data size of RF64
	var rate, perSecond uint32
	pcm := false
	at := int64(12)
	for range maxChunks {
		if at+8 > size {
			return fmt.Errorf("no data: %w", io.ErrUnexpectedEOF)
		}
		if err := readAt(r, head[:8], at); err != nil {
			return err
		}
		id, n := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		at += 8
		switch id {
		case "ds64":
			if err := readAt(r, head[:16], at); err != nil {
				return err
			}
			long = int64(binary.LittleEndian.Uint64(head[8:]) & math.MaxInt64) // #nosec G115 -- masked
		case "fmt ":
			if err := readAt(r, head[:16], at); err != nil {
				return err
			}
			kind := binary.LittleEndian.Uint16(head[:])
			pcm = kind == 1 || kind == 3 || kind == 0xFFFE
			rate, perSecond = binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint32(head[8:])
			if rate == 0 || binary.LittleEndian.Uint16(head[2:]) == 0 {
				return fmt.Errorf("%w: no channels or no sample rate", errDamaged)
			}
		case "data":
			if n == math.MaxUint32 && long > 0 {
				n = long
			}
			if n == math.MaxUint32 || n == 0 { // written to a pipe
				return nil
			}
			if n > size-at {
				return fmt.Errorf("data of %d bytes, %d are there: %w", n, size-at, io.ErrUnexpectedEOF)
			}
			if pcm {
				d.samples(float64(n), float64(perSecond))
			}
			return nil
		}
		at += n + n&1
	}
	return fmt.Errorf("%w: too many chunks", errDamaged)
}

// aiff reads AIFF and AIFF-C.
func (d *declared) aiff(r io.ReaderAt, size int64) error {
	var head [26]byte
	if err := readAt(r, head[:12], 0); err != nil {
		return err
	}
	if n := int64(binary.BigEndian.Uint32(head[4:])); n > size-8 {
		return fmt.Errorf("%d bytes declared, %d are there: %w", n+8, size, io.ErrUnexpectedEOF)
	}
	at := int64(12)
	for range maxChunks {
		if at+8 > size {
			return fmt.Errorf("no description: %w", io.ErrUnexpectedEOF)
		}
		if err := readAt(r, head[:8], at); err != nil {
			return err
		}
		n := int64(binary.BigEndian.Uint32(head[4:]))
		if string(head[:4]) == "COMM" {
			n = min(n, 18)
			if err := readAt(r, head[:n], at+8); err != nil || n < 18 {
				return err
			}
			d.samples(float64(binary.BigEndian.Uint32(head[2:])), extended(head[8:18]))
			return nil
		}
		at += 8 + n + n&1
	}
	return fmt.Errorf("%w: too many chunks", errDamaged)
}

// extended reads an 80-bit float as AIFF has it for sample rates.
func extended(b []byte) float64 {
	exponent := int(binary.BigEndian.Uint16(b)&0x7FFF) - 16383 - 63
	return math.Ldexp(float64(binary.BigEndian.Uint64(b[2:])), exponent)
}

// flac reads STREAMINFO (RFC 9639, 8.2), which must be first.
func (d *declared) flac(r io.ReaderAt, at int64) error {
	var head [26]byte
	if err := readAt(r, head[:], at); err != nil {
		return err
	}
	if string(head[:4]) != "fLaC" || head[4]&0x7F != 0 {
		return fmt.Errorf("%w: no STREAMINFO", errDamaged)
	}
	d.flacInfo(head[8:])
	return nil
}

// flacInfo reads the fields of STREAMINFO.
func (d *declared) flacInfo(info []byte) {
	fields := binary.BigEndian.Uint64(info[10:])
	d.samples(float64(fields&(1<<36-1)), float64(fields>>44))
}
