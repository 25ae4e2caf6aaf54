package app

import (
	"context"
	"io"

	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

// VerifyDCA reads a DCA file strictly. The report is filled as far as the file
// could be read; err says what is wrong first, and where.
func VerifyDCA(r io.Reader) (dca.Report, error) { return dca.Verify(r, opus.Samples) }

// ConvertDCA reads any supported audio and writes it as a DCA1 file: Opus is
// copied, the rest transcoded as the profile says. in and out are best given as
// they are, not wrapped: files can be read again and begun anew. progress, if not
// nil, is told the bytes of in.
func ConvertDCA(ctx context.Context, c *Config, in io.Reader, out io.Writer, profile string, progress func(done, total int64)) (pipeline.Report, error) {
	return pipeline.Convert(ctx, in, out, pipeline.ConvertOptions{
		Config:  pipeline.Config{TempDir: c.TempDir, FFmpegPath: c.FFmpeg, MaxDuration: -1, MaxBytes: -1},
		Profile: profile, Progress: progress,
	})
}
