package dca_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/butakero/butakero/internal/pipeline/dca"
)

// file makes a DCA1 file of n frames of silence.
func file(n int) *bytes.Buffer {
	m := dca.NewMetadata(dca.Tool{Name: "example", Version: "1"})
	m.Info.Title = "Silence"
	var out bytes.Buffer
	w, err := dca.NewWriter(&out, m)
	if err != nil {
		panic(err)
	}
	for range n {
		if err := w.WriteFrame([]byte{0xF8, 0xFF, 0xFE}); err != nil {
			panic(err)
		}
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return &out
}

func ExampleWriter() {
	var out bytes.Buffer
	w, err := dca.NewWriter(&out, dca.NewMetadata(dca.Tool{Name: "example", Version: "1"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 50 {
		if err := w.WriteFrame([]byte{0xF8, 0xFF, 0xFE}); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(w.WriteFrame(nil))
	if err := w.Flush(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Frames(), w.Duration(), w.Bytes() == int64(out.Len()))
	fmt.Printf("%s\n", out.Bytes()[8:len(out.Bytes())-50*5])
	// Output:
	// dca frame size: frame 50 has 0 bytes, want 1 to 1276
	// 50 1s true
	// {"dca":{"version":1,"tool":{"name":"example","version":"1","url":"","author":""}},"opus":{"mode":"audio","sample_rate":48000,"frame_size":1920,"abr":null,"vbr":true,"channels":2},"info":{"title":"","artist":"","album":"","genre":"","comments":"","cover":null},"origin":{"source":"","abr":null,"channels":0,"encoding":"","url":""},"extra":{}}
}

func ExampleReader() {
	d := dca.NewReader(file(2))
	m, err := d.Metadata()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Info.Title)
	for {
		frame, err := d.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%x\n", frame)
	}
	// Output:
	// Silence
	// f8fffe
	// f8fffe
}

func ExampleVerify() {
	whole := file(500).Bytes()
	report, err := dca.Verify(bytes.NewReader(whole), nil)
	fmt.Println(report.Frames, report.Duration, report.Bitrate, err)
	report, err = dca.Verify(bytes.NewReader(whole[:len(whole)-1]), nil)
	fmt.Println(report.Frames, report.Duration, err)
	// Output:
	// 500 10s 1200 <nil>
	// 499 9.98s invalid dca file: frame 499: only 2 of 3 bytes at byte 2851 (truncated_frame)
}
