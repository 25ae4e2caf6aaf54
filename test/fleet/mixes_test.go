package fleet

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Every mix of engines carries songs through an api and two workers, crossed ones with
// SQLite too; mixes has the four on which everything else is tried.
func TestEveryMix(t *testing.T) {
	t.Parallel()
	const songs = 12
	media := catalogue(t, songs)
	tried := map[string]bool{}
	for _, m := range mixes {
		tried[m.name] = true
	}
	others := []mix{
		{queue: "kafka", store: "sqlite", blob: "local"},
		{queue: "sqlite", store: "mongodb", blob: "local"},
	}
	for _, queue := range []string{"sqs", "kafka"} {
		for _, store := range []string{"dynamodb", "mongodb"} {
			for _, blob := range []string{"s3", "local"} {
				others = append(others, mix{queue: queue, store: store, blob: blob})
			}
		}
	}
	label := map[string]string{"sqs": "SQS", "kafka": "Kafka", "dynamodb": "DynamoDB", "mongodb": "MongoDB", "s3": "S3", "local": "local", "sqlite": "SQLite"}
	for _, row := range others {
		row.name = label[row.queue] + ", " + label[row.store] + ", " + label[row.blob]
		if tried[row.name] {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=60000")
			api := start(t, "api", m.env)
			start(t, "worker", m.env)
			start(t, "worker", m.env)
			n, l := m.listen(t), newLedger(t)
			ask(t, l, []*process{api}, 0, songs)
			if out := l.check(t, api, n, time.Minute); out.succeeded != songs {
				t.Errorf("%+v", out)
			}
		})
	}
}

// What can not work is refused at the start, with all the reasons and exit code 2.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, env, want string }{
		"memory between processes":   {"worker", "BUTAKERO_QUEUE=memory BUTAKERO_STORE=memory", "not shared between processes"},
		"kafka without brokers":      {"api", "BUTAKERO_QUEUE=kafka", "KAFKA_BROKERS"},
		"mongodb without a host":     {"api", "BUTAKERO_STORE=mongodb", "MONGO_HOST"},
		"sqs without a queue":        {"worker", "BUTAKERO_QUEUE=sqs", "BUTAKERO_SQS_JOBS_QUEUE_URL"},
		"s3 without a bucket":        {"worker", "BUTAKERO_BLOB=s3", "S3_BUCKET_NAME"},
		"one queue for two":          {"api", "BUTAKERO_QUEUE=sqs BUTAKERO_SQS_JOBS_QUEUE_URL=http://127.0.0.1/1/q SQS_QUEUE_URL=http://127.0.0.1/1/q", "a queue each"},
		"one topic for two":          {"api", "BUTAKERO_QUEUE=kafka KAFKA_BROKERS=127.0.0.1:1 BUTAKERO_KAFKA_JOBS_TOPIC=notification", "a topic each"},
		"local files are not signed": {"api", "BUTAKERO_FILE_URLS=presigned", "only s3"},
		"no such engine":             {"worker", "BUTAKERO_QUEUE=rabbitmq", "kafka"},
		"a name nobody knows":        {"api", "BUTAKERO_QEUE=kafka", "BUTAKERO_QUEUE"},
		"not a number":               {"worker", "BUTAKERO_WORKER_SLOTS=many", "BUTAKERO_WORKER_SLOTS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			p := exec.CommandContext(ctx, program(t, c.kind, nil))
			p.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "BUTAKERO_DATA_DIR=" + t.TempDir()}, strings.Fields(c.env)...)
			out, err := p.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), c.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
