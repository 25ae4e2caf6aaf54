package opus_test

import (
	"errors"
	"fmt"

	"github.com/butakero/butakero/internal/pipeline/opus"
)

// A browser's recording: packets of 60 ms, and a last one of 10 ms.
func ExampleRepacker() {
	packets := [][]byte{
		{0xFB, 0x83, 2, 1, 'a', 'b', 'c', 'd', 'e'}, // three frames of 20 ms: ab c de
		{0xF0, 'f'}, // one frame of 10 ms
	}
	emit := func(frame []byte) error {
		n, err := opus.Samples(frame)
		fmt.Printf("%x %q: %d samples\n", frame[0], frame[1:], n)
		return err
	}
	var r opus.Repacker
	for _, packet := range packets {
		if err := r.Push(packet, emit); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := r.Flush(emit); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", r.Stats())
	// Output:
	// f8 "ab": 960 samples
	// f8 "c": 960 samples
	// f8 "de": 960 samples
	// f2 "\x01f": 960 samples
	// {PacketsIn:2 SamplesIn:3360 FramesOut:4 SamplesOut:3840 Padded:480}
}

// Speech at a low bit rate comes in frames of 60 ms, which only a decoder can divide.
func ExampleRepacker_Push_notCopyable() {
	var r opus.Repacker
	err := r.Push([]byte{0x18, 1, 2, 3}, func([]byte) error { return nil })
	var refusal *opus.NotCopyableError
	if errors.As(err, &refusal) {
		fmt.Println("transcode because of", refusal.Reason)
	}
	// Output: transcode because of opus_long_frame
}

func ExampleHead_Copyable() {
	stereo := opus.Head{Version: 1, Channels: 2, PreSkip: 312, InputRate: 48000}
	surround := opus.Head{Version: 1, Channels: 6, Family: 1, Streams: 4, Coupled: 2, Mapping: []byte{0, 4, 1, 2, 3, 5}}
	loud := stereo
	loud.Gain = 6 * 256
	for _, h := range []opus.Head{stereo, surround, loud} {
		parsed, err := opus.ParseHead(h.Append(nil))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(parsed.Copyable())
	}
	// Output:
	// <nil>
	// opus stream can not be copied: 6 channels in 4 streams (opus_multistream)
	// opus stream can not be copied: output gain +6.00 dB (opus_gain)
}

func ExampleSamples() {
	fmt.Println(opus.Samples([]byte{0xF8, 0xFF, 0xFE})) // Discord's silence
	fmt.Println(opus.Samples([]byte{0xFB, 0}))
	// Output:
	// 960 <nil>
	// 0 malformed opus packet: frame count 0 (R5)
}
