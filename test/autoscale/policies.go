package autoscale

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// A policy says every second how many tasks are wanted.
type policy interface {
	// prepare sets what the fleet takes from the policy.
	prepare(f *fleet)
	// wanted is asked once a second.
	wanted(f *fleet) int
}

// ecs is what terraform/ ships: target tracking on backlog for each task, steps from
// none, protection of tasks with songs in hand.
type ecs struct {
	Min, Max, Slots         int
	Target                  float64
	Out, In                 int // cooldowns, s
	StartCooldown           int
	Steps                   []step
	Stop, Drain             int
	VisibleOnly, Unguarded  bool // mutations
	history                 []float64
	asleep                  []float64
	lastOut, lastIn, lastUp int
}

type step struct{ Backlog, Add int }

func (p *ecs) prepare(f *fleet) {
	f.slots, f.starts, f.protect = p.Slots, 60, !p.Unguarded
	f.drain = p.Drain
}

// datum is how late a minute's average is: CloudWatch has it in the next.
const datum = 60

func (p *ecs) wanted(f *fleet) int {
	waiting, running, tasks := f.counts()
	ready := f.ready()
	work := float64(waiting + running)
	if p.VisibleOnly {
		work = float64(waiting)
	}
	p.history = append(p.history, work/float64(max(1, ready)))
	if ready == 0 {
		p.asleep = append(p.asleep, work)
	} else {
		p.asleep = append(p.asleep, 0)
	}
	if f.now%60 != 0 || len(p.history) < datum+60 {
		return max(tasks, p.Min)
	}
	mean := func(of []float64, minute int) float64 { // 0: the last that is known
		end := len(of) - datum - 60*minute
		if end < 60 {
			return math.NaN()
		}
		sum := 0.0
		for _, v := range of[end-60 : end] {
			sum += v
		}
		return sum / 60
	}
	want := tasks
	if sleeping := mean(p.asleep, 0); tasks == 0 && sleeping >= 1 && f.now-p.lastUp >= p.StartCooldown {
		for _, s := range p.Steps {
			if sleeping >= float64(s.Backlog) {
				want = tasks + s.Add
			}
		}
		p.lastUp = f.now
	}
	// Target tracking: three minutes above the target grow the fleet in proportion,
	// fifteen clearly below it shrink it.
	above, below := true, true
	for minute := range 3 {
		if v := mean(p.history, minute); !(v > p.Target) {
			above = false
		}
	}
	for minute := range 15 {
		if v := mean(p.history, minute); !(v < 0.9*p.Target) {
			below = false
		}
	}
	metric := mean(p.history, 0)
	switch {
	case tasks > 0 && above && f.now-p.lastOut >= p.Out:
		want = max(want, int(math.Ceil(float64(ready)*metric/p.Target)))
		p.lastOut = f.now
	case tasks > 0 && below && f.now-p.lastIn >= p.In && f.now-p.lastOut >= p.In:
		want = min(want, max(int(math.Ceil(float64(ready)*metric/p.Target)), want-max(1, want/10)))
		p.lastIn = f.now
	}
	return min(max(want, p.Min), p.Max)
}

// keda is what helm/ ships: messages (in flight counted) for each worker's slots, every
// few seconds, and what HPA makes of it.
type keda struct {
	Min, Max, Slots         int
	Poll, Cooldown          int
	Stabilize, Down, Up     int // s; workers a minute
	Grace, DrainSeconds     int
	VisibleOnly             bool
	history                 []int
	idle, lastDown, lastAdd int
	added, removed          int
}

func (p *keda) prepare(f *fleet) {
	f.slots, f.starts, f.drain = p.Slots, 60, min(p.DrainSeconds, p.Grace)
}

func (p *keda) wanted(f *fleet) int {
	waiting, running, tasks := f.counts()
	if f.now%p.Poll != 0 {
		return tasks
	}
	work := waiting + running
	if p.VisibleOnly {
		work = waiting
	}
	if work > 0 {
		p.idle = f.now
	}
	want := min(max((work+p.Slots-1)/p.Slots, p.Min), p.Max)
	switch {
	case tasks == 0:
		p.history = nil
		if work == 0 {
			return p.Min
		}
		want = max(want, 1)
		want = min(want, max(1, p.Up))
	case work == 0 && p.Min == 0 && f.now-p.idle >= p.Cooldown:
		return 0
	}
	p.history = append(p.history, want)
	if keep := p.Stabilize/p.Poll + 1; len(p.history) > keep {
		p.history = p.history[len(p.history)-keep:]
	}
	for _, v := range p.history { // scaling in goes by the largest of the window
		want = max(want, min(v, tasks))
	}
	want = max(want, 1)
	if want > tasks {
		if f.now-p.lastAdd >= 60 {
			p.lastAdd, p.added = f.now, 0
		}
		want = min(want, tasks+p.Up-p.added)
		p.added += max(0, want-tasks)
	} else if want < tasks {
		if f.now-p.lastDown >= 60 {
			p.lastDown, p.removed = f.now, 0
		}
		want = max(want, tasks-p.Down+p.removed)
		p.removed += tasks - want
	}
	return max(want, p.Min)
}

// cpu is what the original had: one service, scaled on CPU at 75 %, one to ten tasks
// that know no drain. Downloading needs little CPU: the fleet looks idle while songs wait.
type cpu struct{ high, low int }

func (p *cpu) prepare(f *fleet) { f.slots, f.starts, f.drain = 4, 60, 30 }

func (p *cpu) wanted(f *fleet) int {
	_, running, tasks := f.counts()
	if f.now%60 != 0 {
		return max(tasks, 1)
	}
	// A transcoding song keeps a third of a task's CPU busy.
	use := float64(running) / 3 / float64(max(1, f.ready()))
	if use > 0.75 {
		p.high, p.low = p.high+1, 0
	} else if use < 0.65 {
		p.high, p.low = 0, p.low+1
	}
	switch {
	case p.high >= 3:
		return min(max(tasks+1, int(math.Ceil(float64(tasks)*use/0.75))), 10)
	case p.low >= 15:
		return max(1, tasks-1)
	}
	return max(tasks, 1)
}

// shippedECS reads the defaults of the variables of Terraform.
func shippedECS(root string) (*ecs, error) {
	text, err := os.ReadFile(filepath.Join(root, "terraform/autoscaling.tf"))
	if err != nil {
		return nil, err
	}
	var bad error
	number := func(name string) int {
		m := regexp.MustCompile(`(?s)variable "` + name + `" \{[^}]*?default\s*=\s*(\d+)`).FindSubmatch(text)
		if m == nil {
			bad = fmt.Errorf("terraform has no variable %s with a number", name)
			return 0
		}
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			bad = err
		}
		return n
	}
	p := &ecs{
		Min: number("worker_min_tasks"), Max: number("worker_max_tasks"), Slots: number("worker_slots"), Target: float64(number("worker_backlog_per_task")),
		Out: number("worker_scale_out_cooldown"), In: number("worker_scale_in_cooldown"), StartCooldown: number("worker_start_cooldown"),
		Stop: number("worker_stop_timeout"), Drain: number("worker_drain_seconds"),
	}
	for _, m := range regexp.MustCompile(`\{ backlog = (\d+), add = (\d+) \}`).FindAllSubmatch(text, -1) {
		var s step
		if _, err := fmt.Sscan(string(m[1])+" "+string(m[2]), &s.Backlog, &s.Add); err != nil {
			bad = err
		}
		p.Steps = append(p.Steps, s)
	}
	if len(p.Steps) == 0 {
		bad = fmt.Errorf("terraform has no steps from zero")
	}
	return p, bad
}

// shippedKEDA reads the values of the chart.
func shippedKEDA(root string) (*keda, error) {
	text, err := os.ReadFile(filepath.Join(root, "helm/butakero/values.yaml"))
	if err != nil {
		return nil, err
	}
	var values struct {
		Worker struct {
			Slots        int
			DrainSeconds int `yaml:"drainSeconds"`
			Grace        int `yaml:"terminationGracePeriodSeconds"`
		}
		Autoscaling struct {
			Worker struct {
				Min       int `yaml:"minReplicas"`
				Max       int `yaml:"maxReplicas"`
				Poll      int `yaml:"pollingInterval"`
				Cooldown  int `yaml:"cooldownPeriod"`
				Stabilize int `yaml:"scaleDownStabilizationSeconds"`
				Down      int `yaml:"scaleDownPerMinute"`
				Up        int `yaml:"scaleUpPerMinute"`
			}
		}
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, err
	}
	a := values.Autoscaling.Worker
	if values.Worker.Slots == 0 || a.Max == 0 || a.Poll == 0 || a.Up == 0 || values.Worker.Grace == 0 {
		return nil, fmt.Errorf("the chart does not say all of the policy: %+v", values)
	}
	return &keda{
		Min: a.Min, Max: a.Max, Slots: values.Worker.Slots, Poll: a.Poll, Cooldown: a.Cooldown, Stabilize: a.Stabilize,
		Down: a.Down, Up: a.Up, Grace: values.Worker.Grace, DrainSeconds: values.Worker.DrainSeconds,
	}, nil
}
