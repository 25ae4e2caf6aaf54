package ogg_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/butakero/butakero/internal/pipeline/ogg"
)

// stream is an Ogg Opus file with the given packets of 20 ms.
func stream(packets ...string) []byte {
	head := []byte("OpusHead\x01\x02\x38\x01\x80\xBB\x00\x00\x00\x00\x00")
	var file bytes.Buffer
	w := ogg.NewWriter(&file, 1)
	errs := []error{w.WriteHeaders(head, ogg.Tags("example", "TITLE=Silence"))}
	for _, packet := range packets {
		errs = append(errs, w.WritePacket([]byte(packet), 960))
	}
	if err := errors.Join(append(errs, w.Close(0))...); err != nil {
		panic(err)
	}
	return file.Bytes()
}

func ExampleReader() {
	r := ogg.NewReader(bytes.NewReader(stream("\xF8\xFF\xFE", "\xF8\xFF\xFE", "\xF8")))
	head, err := r.Head()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, %d channels\n", head[:8], head[9])
	for {
		packet, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%x\n", packet)
	}
	fmt.Println(r.Duration(), "samples after the pre-skip")
	// Output:
	// OpusHead, 2 channels
	// f8fffe
	// f8fffe
	// f8
	// 2568 samples after the pre-skip
}

// Two files joined with cat are a chain, and the second may be of another kind.
func ExampleReader_Next_chained() {
	r := ogg.NewReader(bytes.NewReader(append(stream("one"), stream("two")...)))
	for {
		packet, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.Is(err, ogg.ErrChained):
			fmt.Println("next link")
		case err != nil:
			fmt.Println(err)
			return
		default:
			fmt.Printf("%s\n", packet)
		}
	}
	// Output:
	// one
	// next link
	// two
}

// An encoder that was killed leaves a stream without an end.
func ExampleReader_Next_truncated() {
	whole := stream("one", "two")
	r := ogg.NewReader(bytes.NewReader(whole[:len(whole)-1]))
	_, err := r.Next()
	fmt.Println(errors.Is(err, ogg.ErrTruncated), err)
	// Output: true ogg stream is truncated: input ends inside a page at byte 115 (page 2)
}
