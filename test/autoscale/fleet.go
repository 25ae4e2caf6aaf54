package autoscale

import (
	"math"
	"math/rand/v2"
	"slices"
)

// job is a song: when it was asked for, how long a slot works on it.
type job struct{ at, takes int }

// task is a worker.
type task struct {
	ready   int   // from this second on it takes jobs
	jobs    []int // when each of its running jobs ends
	began   []job
	leaving int // told to stop at this second; 0: not
}

// fleet is a queue and the workers on it.
type fleet struct {
	now     int
	slots   int
	starts  int // seconds until a new task takes jobs
	drain   int // seconds that a task that was told to stop may go on
	protect bool

	waiting []job
	tasks   []*task
	chance  *rand.Rand

	waits   []float64 // of jobs that were begun, seconds
	killed  int       // jobs that were stopped by scaling in
	seconds int       // that tasks have run, all together
	turns   []int     // when the wanted number changed its direction
	last    int       // direction of the last change
}

// counts are what waits, what runs, and how many tasks take jobs or will.
func (f *fleet) counts() (waiting, running, tasks int) {
	for _, t := range f.tasks {
		running += len(t.jobs)
		if t.leaving == 0 {
			tasks++
		}
	}
	return len(f.waiting), running, tasks
}

// ready counts the tasks that have started and are not leaving.
func (f *fleet) ready() (n int) {
	for _, t := range f.tasks {
		if t.leaving == 0 && t.ready <= f.now {
			n++
		}
	}
	return n
}

// scale makes the fleet as large as wanted. Who goes is chosen at random, among those
// that are not protected; a task protects itself while it has a job in hand.
func (f *fleet) scale(wanted int) {
	_, _, tasks := f.counts()
	direction := 0
	switch {
	case wanted > tasks:
		direction = 1
		for range wanted - tasks {
			f.tasks = append(f.tasks, &task{ready: f.now + f.starts})
		}
	case wanted < tasks:
		for _, i := range f.chance.Perm(len(f.tasks)) {
			t := f.tasks[i]
			if tasks == wanted {
				break
			}
			if t.leaving > 0 || f.protect && len(t.jobs) > 0 {
				continue
			}
			t.leaving = f.now
			tasks--
			direction = -1
		}
	}
	if direction != 0 && f.last != 0 && direction != f.last {
		f.turns = append(f.turns, f.now)
	}
	if direction != 0 {
		f.last = direction
	}
}

// step lets a second pass.
func (f *fleet) step(asked []job) {
	f.now++
	f.waiting = append(f.waiting, asked...)
	for _, t := range f.tasks {
		for i := len(t.jobs) - 1; i >= 0; i-- {
			if t.jobs[i] <= f.now {
				t.jobs, t.began = slices.Delete(t.jobs, i, i+1), slices.Delete(t.began, i, i+1)
			}
		}
	}
	f.tasks = slices.DeleteFunc(f.tasks, func(t *task) bool {
		over := t.leaving > 0 && f.now-t.leaving >= f.drain
		if over {
			f.killed += len(t.jobs)
			f.waiting = append(slices.Clone(t.began), f.waiting...)
		}
		return over || t.leaving > 0 && len(t.jobs) == 0
	})
	f.seconds += len(f.tasks)
	// A slot of any task: the workers ask in no order.
	for _, i := range f.chance.Perm(len(f.tasks)) {
		t := f.tasks[i]
		for t.leaving == 0 && t.ready <= f.now && len(t.jobs) < f.slots && len(f.waiting) > 0 {
			j := f.waiting[0]
			f.waiting = f.waiting[1:]
			f.waits = append(f.waits, float64(f.now-j.at))
			t.jobs, t.began = append(t.jobs, f.now+j.takes), append(t.began, j)
		}
	}
}

// songs draws n songs that are asked for now: 15 s on average, some much longer.
func songs(chance *rand.Rand, now, n int) []job {
	all := make([]job, n)
	for i := range all {
		takes := math.Exp(math.Log(11) + 0.8*chance.NormFloat64())
		all[i] = job{now, int(min(max(takes, 1), 600))}
	}
	return all
}

// poisson draws how many things happen in a second at a rate.
func poisson(chance *rand.Rand, rate float64) int {
	n, p, limit := 0, 1.0, math.Exp(-rate)
	for p *= chance.Float64(); p > limit; p *= chance.Float64() {
		n++
	}
	return n
}

// load is what is asked for at a second.
type load struct {
	name string
	ask  func(chance *rand.Rand, second int) int
}

// loads are an evening of many servers, which is the documented load, and two that no
// fleet has workers ready for.
var loads = []load{
	{"an evening: 0.1 to 1.2 songs/s and back in two hours, playlists of 20", func(chance *rand.Rand, s int) int {
		n := poisson(chance, 0.1+1.1*math.Pow(math.Sin(math.Pi*float64(s)/hours(2)), 2))
		if s%600 == 300 {
			n += 20
		}
		return n
	}},
	{"a burst of five minutes at 3 songs/s", func(chance *rand.Rand, s int) int {
		if s >= 1800 && s < 2100 {
			return poisson(chance, 3)
		}
		return poisson(chance, 0.1)
	}},
	{"400 songs at once", func(chance *rand.Rand, s int) int {
		n := poisson(chance, 0.1)
		if s == 1800 {
			n += 400
		}
		return n
	}},
}

func hours(n float64) float64 { return n * 3600 }
