package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

func ExampleConvert() {
	// An Ogg file with three packets of 60 ms, as browsers record them.
	var in, out bytes.Buffer
	w := ogg.NewWriter(&in, 1)
	_ = w.WriteHeaders(opus.Head{Version: 1, Channels: 2}.Append(nil), nil) // a buffer takes everything
	for range 3 {
		_ = w.WritePacket([]byte{31<<3 | 3, 3, 'a', 'b', 'c'}, 2880) // code 3: three frames of 20 ms
	}
	_ = w.Close(0)

	report, err := pipeline.Convert(context.Background(), &in, &out, pipeline.ConvertOptions{})
	fmt.Println(report.Format, report.Frames, "frames", report.Duration, "transcoded:", report.Transcoded, err)

	_, err = pipeline.Convert(context.Background(), bytes.NewBufferString("#EXTM3U\nhttp://example.org/1.ts\n"), &out, pipeline.ConvertOptions{})
	var verdict *jobs.Error
	fmt.Println(errors.As(err, &verdict) && verdict.Code == pipeline.CodeNotAudio)
	// Output:
	// Ogg/Opus 9 frames 180ms transcoded: false <nil>
	// true
}

// Whatever comes in, it does not panic, and what is called whole is a valid file.
func FuzzConvert(f *testing.F) {
	f.Add(oggOpus(f, stereo, packets(5, 40, celt20)))
	f.Add(oggOpus(f, stereo, packets(5, 40, celt10)))
	f.Add(bytes.Repeat(oggOpus(f, stereo, packets(2, 40, celt10)), 2))
	f.Add(webmOpus(stereo.Append(nil), packets(3, 40, celt20), false, time.Second))
	f.Add(webmOpus(stereo.Append(nil), packets(3, 40, celt10), true, 0))
	f.Add(wav(1e6))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		report, err := pipeline.Convert(t.Context(), bytes.NewReader(data), &out, pipeline.ConvertOptions{
			Config: pipeline.Config{FFmpegPath: "/nonexistent"}, Size: int64(len(data)),
		})
		if err != nil {
			var verdict *jobs.Error
			if !errors.As(err, &verdict) {
				t.Errorf("no verdict: %v", err)
			}
			return
		}
		if whole, err := dca.Verify(&out, opus.Samples); err != nil || whole.Frames != report.Frames || whole.SHA256 != report.SHA256 {
			t.Errorf("%+v, but %+v, %v", report, whole, err)
		}
	})
}
