package fleet

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/butakero/butakero/test/servers/servers"
)

// desk is the command line of an operator.
type desk struct {
	tb  testing.TB
	api *process
	env []string
}

// do gives a command as docs/operations.md has it, and returns what it prints.
func (d desk) do(line string) (out string, code int) {
	d.tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.tb.Context()), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program(d.tb, "butakero", nil), strings.Fields(line)...)
	c.Env = append(append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.tb.TempDir()}, d.env...), "BUTAKERO_URL="+d.api.base)
	raw, err := c.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited { //nolint:errorlint // it comes as it is
		d.tb.Fatal(err)
	}
	return string(raw), c.ProcessState.ExitCode()
}

// must is do for what has to succeed.
func (d desk) must(line string) string {
	d.tb.Helper()
	out, code := d.do(line)
	if code != 0 {
		d.tb.Fatalf("butakero %s: exit code %d\n%s", line, code, out)
	}
	return out
}

// A deploy went wrong: the queue is paused, workers are replaced, the queue goes on.
// Requests are accepted all the while, and nothing new is begun.
func TestRunbookDeployWentWrong(t *testing.T) {
	t.Parallel()
	m := mixes[1].on(t, "BUTAKERO_MEDIA_DIR="+catalogue(t, 8), "BUTAKERO_DEMO_RATE_BYTES=20000")
	api, worker := start(t, "api", m.env), start(t, "worker", m.env)
	n, l := m.listen(t), newLedger(t)
	operator := desk{t, api, nil}
	operator.must("queue pause --reason deploy")
	until(t, 20*time.Second, "the worker has not heard of the pause", func() bool {
		return strings.Contains(operator.must("queue stats"), "deploy")
	})
	pause(2 * time.Second) // a look at the pauses takes a second here
	ask(t, l, []*process{api}, 0, 8)
	worker.stop(t)
	start(t, "worker", m.env)
	pause(3 * time.Second)
	if out := operator.must("queue stats --json"); !strings.Contains(strings.ReplaceAll(out, " ", ""), `"pending":8`) {
		t.Errorf("something was begun in spite of the pause: %s", out)
	}
	operator.must("queue resume")
	if out := l.check(t, api, n, time.Minute); out.succeeded != 8 {
		t.Errorf("%+v", out)
	}
	if audit := operator.must("jobs audit"); !strings.Contains(audit, "pause") || !strings.Contains(audit, "resume") {
		t.Errorf("not in the audit: %s", audit)
	}
}

// Songs died of what has been mended since: they are found by code and replayed, first
// to see what would happen; their operations end anew.
func TestRunbookReplay(t *testing.T) {
	t.Parallel()
	media := catalogue(t, 3)
	broken := filepath.Join(media, songName(2)+".opus")
	good, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	m := mixes[0].on(t, "BUTAKERO_MEDIA_DIR="+media)
	m.env = append(m.env, "SERVICE_MAX_ATTEMPTS=1")
	api := start(t, "api", m.env)
	start(t, "worker", m.env)
	operator := desk{t, api, nil}
	id, _, err := api.submit(t.Context(), songName(2))
	if err != nil || id == "" {
		t.Fatal(id, err)
	}
	var dead operation
	until(t, time.Minute, "the song has not died", func() bool {
		dead, err = api.operation(t.Context(), id)
		return err == nil && dead.State == "failed"
	})
	code := dead.Job.LastError.Code
	if groups := operator.must("jobs groups --state dead"); !strings.Contains(groups, code) {
		t.Errorf("no group %s: %s", code, groups)
	}
	if shown := operator.must("jobs list --state dead --code " + code); !strings.Contains(shown, songName(2)) {
		t.Errorf("not in the list: %s", shown)
	}
	if err := os.WriteFile(broken, good, 0o600); err != nil {
		t.Fatal(err)
	}
	operator.must("jobs replay --code " + code + " --since 24h --force --dry-run")
	if o, err := api.operation(t.Context(), id); err != nil || o.State != "failed" {
		t.Errorf("the dry run did something: %+v, %v", o, err)
	}
	operator.must("jobs replay --code " + code + " --since 24h --force --rate 2 --reason mended")
	until(t, time.Minute, "it was not made", func() bool {
		o, err := api.operation(t.Context(), id)
		return err == nil && o.State == "succeeded" && o.File != nil
	})
}

// A message that nobody can decode is put aside with its bytes, shown, and dropped.
func TestRunbookQuarantine(t *testing.T) {
	t.Parallel()
	const rubbish = "this is no job"
	for i, row := range mixes[:2] {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+catalogue(t, 1))
			api := start(t, "api", m.env)
			start(t, "worker", m.env)
			if i == 0 {
				url := m.sqs + "/000000000000/" + m.id + "-jobs"
				if _, err := sqs.NewFromConfig(servers.AWS(t, m.sqs)).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(rubbish)}); err != nil {
					t.Fatal(err)
				}
			} else {
				c := sarama.NewConfig()
				c.Version, c.Producer.Return.Successes = sarama.V3_6_0_0, true
				p, err := sarama.NewSyncProducer(m.kafka, c)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close() //nolint:errcheck // nothing is left in it
				if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: m.id + ".jobs", Value: sarama.StringEncoder(rubbish)}); err != nil {
					t.Fatal(err)
				}
			}
			operator := desk{t, api, nil}
			var letters struct {
				Messages []struct {
					ID     string `json:"id"`
					Origin string `json:"origin"`
				} `json:"messages"`
			}
			until(t, time.Minute, "it is not in quarantine", func() bool {
				a, err := call(t.Context(), http.MethodGet, api.base+"/api/v1/quarantine")
				return err == nil && json.Unmarshal(a.body, &letters) == nil && len(letters.Messages) == 1
			})
			id := letters.Messages[0].ID
			if shown := operator.must("queue quarantine show " + id); !strings.Contains(shown, rubbish) {
				t.Errorf("without its bytes: %s", shown)
			}
			operator.must("queue quarantine drop " + id)
			if left := operator.must("queue quarantine list --json"); strings.Contains(left, id) {
				t.Errorf("still there: %s", left)
			}
		})
	}
}

// Can this installation be trusted? The self test says yes, on engines of every kind.
func TestRunbookSelfTest(t *testing.T) {
	t.Parallel()
	for _, row := range mixes {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+catalogue(t, 1))
			api := start(t, "api", m.env)
			out, code := desk{t, api, m.env}.do("selftest")
			if code != 0 {
				t.Errorf("exit code %d:\n%s", code, out)
			}
		})
	}
}
