package app_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/app"
)

func ExampleLoad() {
	_, err := app.Load([]string{"BUTAKERO_SOURCE=demo", "BUTAKERO_LISTN=:80", "BUTAKERO_WORKER_SLOTS=many"}, "", nil)
	fmt.Println(err)
	// Output:
	// 2 problems with the settings:
	//   - BUTAKERO_LISTN (from environment) is no setting; did you mean BUTAKERO_LISTEN?
	//   - BUTAKERO_WORKER_SLOTS: "many" is not a whole number of at least 1
}

// original is the documented test_local.env of the original, comments and all.
const original = `# Environment
ENVIRONMENT=local
LOCAL_STORAGE_PATH=data/audio-files
SERVICE_MAX_ATTEMPTS=7
SERVICE_TIMEOUT=2
YOUTUBE_API_KEY=TU_API_KEY_AQUI # Modificar esto con tu API key
GIN_MODE=release
# Kafka Configuration
KAFKA_TOPIC=notification
KAFKA_BROKERS=kafka:29092,other:29092
KAFKA_ENABLE_TLS=false
# Authentication
OAUTH2=false
# MongoDB Configuration
MONGO_USER=root
MONGO_PASSWORD=ro@t/#x
MONGO_PORT=27017
MONGO_HOST=mongodb
MONGO_DATABASE=audio_service_db
MONGO_COLLECTION_SONGS=Songs
MONGO_COLLECTION_OPERATIONS=Operations
MONGO_ENABLE_TLS=false
MONGO_REPLICA_SET_NAME=rs0
# YouTube Cookies
COOKIES_YOUTUBE=/etc/yt-cookies.txt
`

func envFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "test_local.env")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The original's file works as it is; what it stands for can be overridden one
// by one.
func TestOriginalEnvFile(t *testing.T) {
	t.Parallel()
	c, err := app.Load([]string{"BUTAKERO_QUEUE=sqlite", "BUTAKERO_STORE=sqlite"}, envFile(t, original), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.YouTube.APIKey != "TU_API_KEY_AQUI" || c.MaxAttempts != 7 || c.Attempt != 2*time.Minute || len(c.Kafka.Brokers) != 2 ||
		c.Mongo.Password != "ro@t/#x" || c.LocalStoragePath != "data/audio-files" || c.Blob != "local" || c.Queue != "sqlite" {
		t.Errorf("%+v", c)
	}
	// Without the overrides it means the original's engines.
	c, _ = app.Load(nil, envFile(t, original), nil)
	if c.Queue != "kafka" || c.Store != "mongodb" || c.Blob != "local" || c.Events != "kafka" {
		t.Errorf("%s %s %s %s", c.Queue, c.Store, c.Blob, c.Events)
	}
}

// Nothing set is the embedded default, and the order of origins is flags, the
// environment, the file.
func TestDefaultsAndOrigins(t *testing.T) {
	t.Parallel()
	c, err := app.Load(nil, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Queue != "sqlite" || c.Store != "sqlite" || c.Blob != "local" || c.Events != "none" || c.Listen != "127.0.0.1:8080" ||
		c.Lease != 90*time.Second || c.Slots < 1 || c.LocalStoragePath != filepath.Join("data", "audio-files") {
		t.Errorf("%+v", c)
	}
	file := envFile(t, "BUTAKERO_LISTEN='127.0.0.1:1'\nexport BUTAKERO_DATA_DIR=\"from file\"\nSERVICE_TIMEOUT=3\n")
	c, err = app.Load([]string{"BUTAKERO_LISTEN=127.0.0.1:2", "SERVICE_TIMEOUT=", "BUTAKERO_URL=http://x"}, file, map[string]string{"BUTAKERO_SOURCE": "demo"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]string{
		"BUTAKERO_LISTEN": {"127.0.0.1:2", "environment"}, "BUTAKERO_DATA_DIR": {"from file", file},
		"SERVICE_TIMEOUT": {"3", file}, "BUTAKERO_SOURCE": {"demo", "command line"}, "BUTAKERO_BLOB": {"local", "default"},
	}
	for _, s := range c.Settings() {
		if w, ok := want[s.Name]; ok && (s.Value != w[0] || s.Origin != w[1]) {
			t.Errorf("%+v, want %v", s, w)
		}
	}
}

// Secrets never come out.
func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-value"
	c, err := app.Load([]string{"YOUTUBE_API_KEY=" + secret, "MONGO_PASSWORD=" + secret, "BUTAKERO_MONGO_URI=mongodb://u:" + secret + "@h", "BUTAKERO_YOUTUBE_PROXY=http://u:" + secret + "@p:1"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Settings() {
		if strings.Contains(fmt.Sprint(s), secret) {
			t.Errorf("%s shows its value", s.Name)
		}
	}
}

// Everything that is wrong is said, each under the name of its setting.
func TestProblems(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"BUTAKERO_QUEUE=rabbit":              "not one of",
		"BUTAKERO_LISTEN=nowhere":            "BUTAKERO_LISTEN",
		"BUTAKERO_PUBLIC_URL=ftp://x":        "not an http",
		"BUTAKERO_LEASE_SECONDS=0.1":         "at least 1",
		"SERVICE_TIMEOUT=800":                "12 hours",
		"SERVICE_TIMEOUT=soon":               "minutes",
		"BUTAKERO_MEDIA_DIR=/no/such/folder": "BUTAKERO_MEDIA_DIR",
		"BUTAKERO_TRUSTED_PROXIES=10.0.0.1":  "network",
		"KAFKA_ENABLE_TLS=perhaps":           "neither true nor false",
		"GIN_MODE=loud":                      "release, debug, test",
		"ENVIRONMENT=mars":                   "ENVIRONMENT",
		"BUTAKERO_RATE_PER_SECOND=-1":        "at least 0",
	} {
		_, err := app.Load([]string{setting}, "", nil)
		var p app.Problems
		if !errors.As(err, &p) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strings.SplitN(setting, "=", 2)[0]) {
			t.Errorf("%s: %v", setting, err)
		}
	}
	if _, err := app.Load(nil, filepath.Join(t.TempDir(), "missing.env"), nil); err == nil {
		t.Error("a missing env file went unnoticed")
	}
	if _, err := app.Load(nil, envFile(t, "this is no line\n"), nil); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("%v", err)
	}
}

// What an engine lacks, and what can not be meant, is said at once with the reason.
func TestEngineSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings string
		want     []string
	}{
		"nothing of AWS":      {"ENVIRONMENT=aws", []string{"BUTAKERO_SQS_JOBS_QUEUE_URL: must be set", "S3_BUCKET_NAME: must be set"}},
		"kafka":               {"BUTAKERO_QUEUE=kafka", []string{"KAFKA_BROKERS: must be set"}},
		"mongodb":             {"BUTAKERO_STORE=mongodb", []string{"BUTAKERO_MONGO_URI or MONGO_HOST: must be set"}},
		"events alone":        {"BUTAKERO_EVENTS=sqs", []string{"SQS_QUEUE_URL: must be set"}},
		"one queue for both":  {"BUTAKERO_QUEUE=sqs BUTAKERO_SQS_JOBS_QUEUE_URL=http://q/1 SQS_QUEUE_URL=http://q/1", []string{"need a queue each"}},
		"one topic for both":  {"BUTAKERO_QUEUE=kafka KAFKA_BROKERS=a:1 BUTAKERO_KAFKA_JOBS_TOPIC=t KAFKA_TOPIC=t", []string{"need a topic each"}},
		"presigned, no s3":    {"BUTAKERO_FILE_URLS=presigned", []string{"only s3 has presigned addresses"}},
		"no such queue":       {"BUTAKERO_QUEUE=rabbit", []string{`"rabbit" is not one of kafka, memory, sqlite, sqs`}},
		"unfit replicas":      {"BUTAKERO_KAFKA_REPLICAS=0", []string{"at least 1"}},
		"crossed, and it may": {"BUTAKERO_QUEUE=kafka KAFKA_BROKERS=a:1 BUTAKERO_STORE=sqlite BUTAKERO_BLOB=s3 S3_BUCKET_NAME=b", nil},
	} {
		_, err := app.Load(strings.Fields(c.settings), "", nil)
		if c.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %v", name, want, err)
			}
		}
	}
}
