package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/butakero/butakero/internal/app"
)

func (c *cli) dcaCommand() *cobra.Command {
	return group("dca", "Make, inspect and verify DCA files", c.dcaConvertCommand(), c.dcaInspectCommand(), c.dcaVerifyCommand())
}

func (c *cli) dcaConvertCommand() *cobra.Command {
	var profile string
	var force bool
	cmd := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Turn an audio file into a DCA1 file; - is stdin or stdout",
		Long: `Turns an audio file into a DCA1 file. Opus in WebM or Ogg is copied packet by
packet; everything else goes through ffmpeg. OUT appears only when it is whole.`,
		Example: `  butakero dca convert song.webm song.dca
  cat song.m4a | butakero dca convert - - > song.dca`,
		Args: usageArgs(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := app.Load(os.Environ(), c.envFile, nil)
			if err != nil {
				return err
			}
			in, total, err := c.openIn(args[0])
			if err != nil {
				return err
			}
			defer in.Close() //nolint:errcheck // only read
			out, err := c.createOut(args[1], force)
			if err != nil {
				return err
			}
			defer out.discard()
			progress, done := c.readBar(total, args[0])
			report, err := app.ConvertDCA(cmd.Context(), config, in, out.target(), profile, progress)
			done(err == nil)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := out.keep(); err != nil {
				return err
			}
			if c.json {
				return json.NewEncoder(c.err).Encode(report)
			}
			how := "copied"
			if report.Transcoded {
				how = "transcoded"
			}
			fmt.Fprintf(c.err, "%s: %s, %d frames, %s, %s\n", args[1], how, report.Frames,
				report.Duration.Round(time.Millisecond), size(report.Bytes))
			return nil
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "how what is transcoded is encoded; nothing: the default")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "overwrite OUT")
	return cmd
}

func (c *cli) dcaInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "inspect FILE",
		Short:   "Show what is in a DCA file",
		Example: `  butakero dca inspect song.dca --json`,
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			in, _, err := c.openIn(args[0])
			if err != nil {
				return err
			}
			defer in.Close() //nolint:errcheck // only read
			report, problem := app.VerifyDCA(in)
			if report.Version == 0 && report.Frames == 0 && problem != nil {
				return fmt.Errorf("%s: %w", args[0], problem)
			}
			e := json.NewEncoder(c.out)
			e.SetIndent("", "  ")
			return e.Encode(report)
		},
	}
}

func (c *cli) dcaVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE...",
		Short: "Check DCA files strictly; says what is wrong and where",
		Example: `  butakero dca verify data/audio-files/audio/*.dca
  curl -s "$URL" | butakero dca verify -`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			bad := 0
			for _, name := range args {
				ok, err := c.verify(name)
				if err != nil {
					return err
				}
				if !ok {
					bad++
				}
			}
			if bad > 0 {
				return failWith(exitFailed, "%d of %d files are not valid", bad, len(args))
			}
			return nil
		},
	}
}

func (c *cli) verify(name string) (ok bool, err error) {
	in, _, err := c.openIn(name)
	if err != nil {
		return false, err
	}
	defer in.Close() //nolint:errcheck // only read
	report, problem := app.VerifyDCA(in)
	if c.json {
		return problem == nil, json.NewEncoder(c.out).Encode(struct {
			File   string `json:"file"`
			Valid  bool   `json:"valid"`
			Report any    `json:"report"`
		}{name, problem == nil, report})
	}
	if problem == nil {
		fmt.Fprintf(c.out, "%s: valid, %d frames, %s, %d kbit/s\n", name, report.Frames,
			report.Duration.Round(time.Millisecond), report.Bitrate/1000)
		return true, nil
	}
	if len(report.Problems) == 0 {
		fmt.Fprintf(c.out, "%s: %v\n", name, problem)
	}
	for _, p := range report.Problems {
		fmt.Fprintf(c.out, "%s: %v\n", name, p)
	}
	if more := report.ProblemCount - int64(len(report.Problems)); more > 0 {
		fmt.Fprintf(c.out, "%s: and %d more\n", name, more)
	}
	return false, nil
}

// openIn opens a file to read, - being stdin. total is 0 where it is not known.
func (c *cli) openIn(name string) (in io.ReadCloser, total int64, err error) {
	if name == "-" {
		return io.NopCloser(c.in), 0, nil
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, failWith(exitNotFound, "%s: there is no such file", name)
	}
	if err != nil {
		return nil, 0, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		total = info.Size()
	}
	return f, total, nil
}

// output is a file that appears only when it is whole.
type output struct {
	stdout io.Writer
	temp   *os.File // nil: stdout
	name   string
}

func (o *output) target() io.Writer {
	if o.temp == nil {
		return o.stdout
	}
	return o.temp
}

func (c *cli) createOut(name string, force bool) (*output, error) {
	if name == "-" {
		return &output{stdout: c.out}, nil
	}
	if _, err := os.Lstat(name); err == nil && !force {
		return nil, failWith(exitFailed, "%s: exists already (--force overwrites it)", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".butakero-*")
	if err != nil {
		return nil, err
	}
	return &output{temp: f, name: name}, nil
}

func (o *output) keep() error {
	if o.temp == nil {
		return nil
	}
	temp := o.temp
	o.temp = nil
	err := errors.Join(temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), o.name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

func (o *output) discard() {
	if o.temp == nil {
		return
	}
	_ = o.temp.Close()           // it is thrown away
	_ = os.Remove(o.temp.Name()) // what can not be removed is hidden and named after us
	o.temp = nil
}

// readBar shows how far a file has been read, on a terminal.
func (c *cli) readBar(total int64, name string) (progress func(done, total int64), finish func(ok bool)) {
	f, ok := c.err.(*os.File)
	if !ok || total == 0 || c.json || !term.IsTerminal(int(f.Fd())) {
		return nil, func(bool) {}
	}
	p := mpb.New(mpb.WithOutput(c.err), mpb.WithWidth(40))
	bar := p.AddBar(total,
		mpb.PrependDecorators(decor.Name(shorten(filepath.Base(name), 32)+" ")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO)),
		mpb.BarRemoveOnComplete(),
	)
	progress = func(done, _ int64) { bar.SetCurrent(min(done, total-1)) } // the end is finish's to say
	return progress, func(ok bool) {
		if ok {
			bar.SetTotal(-1, true)
		} else {
			bar.Abort(true)
		}
		p.Wait()
	}
}
