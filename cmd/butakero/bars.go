package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// bars shows how operations come along: a progress bar each on a terminal, a
// line per change of stage otherwise.
type bars struct {
	out      io.Writer
	progress *mpb.Progress // nil: lines

	mu    sync.Mutex
	byID  map[string]*mpb.Bar
	lines map[string]string

	// status of each operation, by id; not under mu, which update holds while it
	// waits for the bar that may be asking.
	status sync.Map
}

func (c *cli) newBars() *bars {
	b := &bars{out: c.out, byID: map[string]*mpb.Bar{}, lines: map[string]string{}}
	if f, ok := c.out.(*os.File); ok && !c.json && term.IsTerminal(int(f.Fd())) {
		b.progress = mpb.New(mpb.WithOutput(c.out), mpb.WithWidth(40))
	}
	return b
}

func (b *bars) update(o operation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.progress == nil {
		if line := describe(o); b.lines[o.ID] != line {
			b.lines[o.ID] = line
			fmt.Fprintln(b.out, line)
		}
		return
	}
	b.status.Store(o.ID, status(o))
	bar := b.byID[o.ID]
	if bar == nil {
		bar = b.progress.AddBar(100,
			mpb.PrependDecorators(decor.Name(shorten(o.name(), 32), decor.WC{W: 34, C: decor.DindentRight})),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				text, _ := b.status.Load(o.ID)
				return fmt.Sprint(text)
			})),
		)
		b.byID[o.ID] = bar
	}
	switch {
	case o.State == "succeeded":
		bar.SetCurrent(100)
	case o.ended():
		bar.Abort(false)
	case o.Job.Progress != nil:
		bar.SetCurrent(int64(min(99, *o.Job.Progress))) // the end is the server's to say
	}
}

// finish leaves the last state on the screen.
func (b *bars) finish() {
	if b.progress == nil {
		return
	}
	b.mu.Lock()
	for _, bar := range b.byID {
		if !bar.Completed() {
			bar.Abort(false)
		}
	}
	b.mu.Unlock()
	b.progress.Wait()
}

func status(o operation) string {
	switch {
	case o.State == "succeeded":
		return "done"
	case o.ended():
		if e := o.Job.LastError; e != nil {
			return o.State + ": " + e.Message
		}
		return o.State
	case o.Job.State == "retry" && o.Job.LastError != nil:
		return "waits to try again: " + o.Job.LastError.Message
	case o.Job.Progress != nil:
		return fmt.Sprintf("%s %d %%", o.Job.Stage, *o.Job.Progress)
	case o.Job.State == "running":
		return "running"
	}
	return "waits for a worker"
}

func describe(o operation) string { return o.name() + ": " + status(o) }

func shorten(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	return string([]rune(s)[:runes-1]) + "…"
}
