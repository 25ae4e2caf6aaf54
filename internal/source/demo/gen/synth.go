package main

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

const sampleRate = 48000

// A voice plays one note of a frequency (Hz) and length (samples); what rings on
// after the note's end is part of what it returns.
type voice func(freq float64, length int, rng *rand.Rand) []float64

// pluck is a string after Karplus and Strong: a burst of noise that runs round a
// delay line of one period and is smoothed at every turn.
func pluck(freq float64, length int, rng *rand.Rand) []float64 {
	period := int(sampleRate / freq)
	line := make([]float64, period)
	for i := range line {
		line[i] = rng.Float64()*2 - 1
	}
	// A softer touch: smooth the noise before it starts.
	for range 3 {
		for i := range line {
			line[i] = (line[i] + line[(i+1)%period]) / 2
		}
	}
	out := make([]float64, length+sampleRate)
	for i := range out {
		at := i % period
		out[i] = 1.6 * line[at] * release(i, length, sampleRate/3)
		line[at] = 0.4985 * (line[at] + line[(at+1)%period])
	}
	return out
}

// bell is a handful of partials that are not quite harmonic and fade at
// different speeds.
func bell(freq float64, length int, _ *rand.Rand) []float64 {
	partials := []struct{ ratio, gain, fade float64 }{{1, 0.6, 1.1}, {2.003, 0.25, 0.8}, {3.01, 0.12, 0.45}, {4.2, 0.08, 0.25}, {6.8, 0.04, 0.12}}
	out := make([]float64, length+sampleRate)
	for i := range out {
		t := float64(i) / sampleRate
		for _, p := range partials {
			out[i] += p.gain * math.Exp(-t/p.fade) * math.Sin(2*math.Pi*freq*p.ratio*t)
		}
		out[i] *= attack(i, 120)
	}
	return out
}

// pad is a slow, wide sound of six harmonics with a little vibrato.
func pad(freq float64, length int, _ *rand.Rand) []float64 {
	out := make([]float64, length+sampleRate/2)
	phase := 0.0
	for i := range out {
		t := float64(i) / sampleRate
		phase += 2 * math.Pi * freq * (1 + 0.002*math.Sin(2*math.Pi*5*t)) / sampleRate
		for h := 1; h <= 6; h++ {
			out[i] += 0.22 / float64(h*h) * math.Sin(float64(h)*phase)
		}
		out[i] *= attack(i, sampleRate/8) * release(i, length, sampleRate/2)
	}
	return out
}

// bass is a round low note.
func bass(freq float64, length int, _ *rand.Rand) []float64 {
	out := make([]float64, length+sampleRate/10)
	for i := range out {
		t := float64(i) / sampleRate
		w := 2 * math.Pi * freq * t
		out[i] = 0.7 * math.Exp(-t*1.5) * (math.Sin(w) + 0.35*math.Sin(2*w) + 0.12*math.Sin(3*w))
		out[i] *= attack(i, 200) * release(i, length, sampleRate/10)
	}
	return out
}

// brush is a short breath of noise; the frequency makes it darker or lighter.
func brush(freq float64, _ int, rng *rand.Rand) []float64 {
	out := make([]float64, sampleRate/8)
	low, smooth := 0.0, math.Min(1, freq/6000)
	for i := range out {
		noise := rng.Float64()*2 - 1
		low += smooth * (noise - low)
		out[i] = 0.4 * low * math.Exp(-float64(i)/(sampleRate/40))
	}
	return out
}

func attack(i, samples int) float64 { return math.Min(1, float64(i)/float64(samples)) }

func release(i, from, samples int) float64 {
	return math.Max(0, math.Min(1, 1-float64(i-from)/float64(samples)))
}

// A track is one voice's notes, as words "NAME:BEATS": E4:1, Bb3:0.5, F#5:2;
// "-" is a rest, and "C4+E4+G4:4" a chord. A group "( … )*3" is repeated.
type track struct {
	voice voice
	gain  float64
	pan   float64 // -1 left to 1 right
	notes string
}

// render plays tracks for seconds and returns the two channels.
func render(tracks []track, tempo, seconds float64, seed uint64) (left, right []float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	total := int(seconds * sampleRate)
	left, right = make([]float64, total), make([]float64, total)
	for _, tr := range tracks {
		at := 0.0
		for _, word := range strings.Fields(unfold(tr.notes)) {
			names, beats := parseNote(word)
			length := beats * 60 / tempo
			for _, name := range names {
				if name == "-" {
					continue
				}
				gain := tr.gain * (0.9 + 0.2*rng.Float64())
				for i, x := range tr.voice(frequency(name), int(length*sampleRate), rng) {
					if j := int(at*sampleRate) + i; j < total {
						left[j] += x * gain * math.Sqrt((1-tr.pan)/2)
						right[j] += x * gain * math.Sqrt((1+tr.pan)/2)
					}
				}
			}
			at += length
		}
	}
	room(left, 1687, 1601)
	room(right, 1777, 1559)
	finish(left, right)
	return left, right
}

// room adds a short echo of two combs.
func room(x []float64, delays ...int) {
	wet := make([]float64, len(x))
	for _, d := range delays {
		line := make([]float64, d)
		for i := range x {
			y := line[i%d]
			line[i%d] = x[i] + 0.72*y
			wet[i] += y
		}
	}
	for i := range x {
		x[i] += 0.11 * wet[i]
	}
}

// finish brings both channels to the same comfortable peak and fades the end.
func finish(left, right []float64) {
	peak := 0.0
	for i := range left {
		peak = math.Max(peak, math.Max(math.Abs(left[i]), math.Abs(right[i])))
	}
	fade := sampleRate
	for i := range left {
		gain := 0.7 / peak * math.Min(1, float64(len(left)-i)/float64(fade))
		left[i] *= gain
		right[i] *= gain
	}
}

func unfold(notes string) string {
	for {
		open := strings.LastIndexByte(notes, '(')
		if open < 0 {
			return notes
		}
		length := strings.Index(notes[open:], ")*")
		group, rest := notes[open+1:open+length], notes[open+length+2:]
		times := int(rest[0] - '0')
		notes = notes[:open] + strings.Repeat(group+" ", times) + rest[1:]
	}
}

func parseNote(word string) (names []string, beats float64) {
	chord, length, _ := strings.Cut(word, ":")
	beats, err := strconv.ParseFloat(length, 64)
	if err != nil {
		panic("note without length: " + word)
	}
	return strings.Split(chord, "+"), beats
}

// frequency knows scientific pitch names; A4 is 440 Hz.
func frequency(name string) float64 {
	semitone := map[byte]int{'C': 0, 'D': 2, 'E': 4, 'F': 5, 'G': 7, 'A': 9, 'B': 11}[name[0]]
	octave := name[1:]
	switch octave[0] {
	case '#':
		semitone, octave = semitone+1, octave[1:]
	case 'b':
		semitone, octave = semitone-1, octave[1:]
	}
	n, err := strconv.Atoi(octave)
	if err != nil {
		panic("not a note: " + name)
	}
	return 440 * math.Pow(2, float64(semitone-9)/12+float64(n-4))
}
