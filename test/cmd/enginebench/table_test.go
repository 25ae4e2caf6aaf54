package main

import (
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/bench"
)

// at returns runs of so many jobs a second.
func at(perSecond ...int) map[time.Duration][]bench.Drained {
	var all []bench.Drained
	for _, n := range perSecond {
		all = append(all, bench.Drained{Rate: bench.Rate{Count: n, Wall: time.Second, CPU: time.Duration(n) * 40 * time.Microsecond}, Calls: int64(n / 2), Requests: bench.Requests{Store: int64(n), Queue: -1}})
	}
	return map[time.Duration][]bench.Drained{5 * time.Millisecond: all}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	verdicts := judge(results{
		kafkaChannel: at(100, 300, 200), // 200
		kafkaRouter:  at(500),
		kafkaSQLite:  at(2000, 1, 9000), // 10 times: just so
		kafkaMongo:   at(599, 598, 9000),
		sqsOne:       at(100),
		sqsTen:       at(150, 50, 190), // 150: the quicker one counts
		sqsSQLite:    at(450),
		sqsMongo:     at(449),
	})
	want := []struct {
		ratio float64
		met   bool
	}{{10, true}, {2.995, false}, {3, true}, {449.0 / 150, false}, {4, true}, {599.0 / 500, true}, {0, true}} // the last three are only told
	for i, v := range verdicts {
		if v.ratio != want[i].ratio || v.met() != want[i].met {
			t.Errorf("%s: %v × %s, met %v; want %+v", v.ours, v.ratio, v.than, v.met(), want[i])
		}
	}
	if met, of := reached(verdicts); len(verdicts) != len(want) || met != 2 || of != 4 || verdicts[2].than != sqsTen {
		t.Errorf("%d verdicts, %d of %d goals met", len(verdicts), met, of)
	}
}

// Without the others' figures no goal is met.
func TestJudgeNothing(t *testing.T) {
	t.Parallel()
	if met, of := reached(judge(results{kafkaSQLite: at(10_000)})); met != 0 || of != 4 {
		t.Errorf("%d of %d goals met beside nobody", met, of)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	printTable(&b, []contender{{name: kafkaMongo}, {name: kafkaSQLite}}, results{kafkaMongo: at(1000, 12_345, 2000)}, 5*time.Millisecond)
	if want := "| " + kafkaMongo + " | 2,000 | 1,000–12,345 | 40 µs | 0 | 0.50 | 1.00 |  |\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("%s\nwant at its end\n%s", b.String(), want)
	}
	if strings.Contains(b.String(), kafkaSQLite) {
		t.Error("a row of nothing")
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		all  []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 9, 2}, 3}} {
		if got := median(c.all); got != c.want {
			t.Errorf("%v: %v, want %v", c.all, got, c.want)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0", 999.4: "999", 1000: "1,000", 1234567: "1,234,567", -123456: "-123,456"} {
		if got := thousands(f); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
}

func TestChosen(t *testing.T) {
	t.Parallel()
	all := []contender{{name: kafkaChannel}, {name: kafkaMongo}, {name: sqsMongo}}
	for words, want := range map[string]int{"": 3, "mongo": 2, "kafka": 2, "sqs|channel$": 2, "nobody": 0} {
		if got, err := chosen(all, words); len(got) != want || err != nil {
			t.Errorf("%q: %d, want %d; %v", words, len(got), want, err)
		}
	}
	if _, err := chosen(all, "("); err == nil {
		t.Error("an expression that is none")
	}
}

func TestUncounted(t *testing.T) {
	t.Parallel()
	r := bench.Requests{Store: 3, Queue: 4}
	if got := uncounted(r, "kafka", "sqlite"); got.Store != -1 || got.Queue != -1 {
		t.Errorf("%+v", got)
	}
	if got := uncounted(r, "sqs", "mongo"); got != r {
		t.Errorf("%+v", got)
	}
}
