package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"
)

// Config is the effective settings. See settings.go for every name, its default
// and its meaning. Build one with [Load].
type Config struct {
	Queue, Store, Blob, Source string
	Events, EventFormat        string

	Listen         string
	WorkerListen   string
	TrustedProxies []netip.Prefix
	OperatorToken  string // "": operators are served on the machine itself only
	FileURLs       string // api or presigned
	PublicURL      string // base of links to this API; "" derives it from Listen
	DataDir        string
	MediaDir       string // catalogue of the demo source
	DemoRate       int64  // bytes per second of the demo source, 0 unlimited
	TempDir        string
	FFmpeg         string

	Slots     int
	Lease     time.Duration
	Drain     time.Duration
	LookEvery time.Duration // reconciler
	RingEvery time.Duration

	KeepOperations, KeepDead, KeepCancelled, KeepDone time.Duration // 0: for ever

	MaxAttempts int
	Attempt     time.Duration
	MaxDuration time.Duration
	MaxBytes    int64
	Profiles    []string

	RatePerSecond float64 // per client, 0 none
	RateBurst     int

	LogLevel  slog.Level
	LogFormat string

	LocalStoragePath string

	SQS     SQSConfig
	Kafka   KafkaConfig
	AWS     AWSConfig
	Mongo   MongoConfig
	YouTube YouTubeConfig
	OAuth2  bool // accepted for the original's sake; nothing reads it

	apiOnly bool // the process makes no songs: it needs no right to write them

	// values keeps what was read, for config check.
	values map[string]value
}

// SQSConfig names the queues.
type SQSConfig struct{ JobsQueueURL, EventsQueueURL string }

// KafkaConfig says how to reach the brokers and which topics to use.
type KafkaConfig struct {
	Brokers                       []string
	JobsTopic, EventsTopic, Group string
	TLS                           bool
	CAFile, CertFile, KeyFile     string
	SASLMechanism, User, Password string
	Partitions, Replicas          int // of topics that are made; 0 replicas: the brokers' default
	Session                       time.Duration
}

// AWSConfig names what lies at AWS. Endpoints come from the SDK's own settings.
type AWSConfig struct {
	Region, SecretName          string
	Bucket                      string
	SongsTable, OperationsTable string
	CreateResources             bool
	PathStyle                   bool
}

// MongoConfig says how to reach MongoDB.
type MongoConfig struct {
	URI                                  string
	User, Password, Host, Port, Database string
	Songs, Operations                    string
	TLS                                  bool
	CAFile, CertFile, KeyFile            string
	ReplicaSet                           string
}

// YouTubeConfig says how to reach YouTube.
type YouTubeConfig struct {
	APIKey, Cookies     string
	BaseURL, APIBaseURL string
	Client              string
	Extractors          []string
	YTDLPPath           string
	YTDLPArgs           []string
	Proxy               string
	SongsEvery          time.Duration
	Burst               int
	Pause               time.Duration // first, after a block
	Egress              string
	Searches            int // a day
	Stall               time.Duration
	MinRate             int64 // bytes a second
}

type value struct {
	text   string
	origin string // "environment", "default", a file's name, "ENVIRONMENT=local" …
}

// Problems are all that is wrong with the settings, at once.
type Problems []string

// Error implements error.
func (p Problems) Error() string {
	if len(p) == 1 {
		return p[0]
	}
	return fmt.Sprintf("%d problems with the settings:\n  - %s", len(p), strings.Join(p, "\n  - "))
}

// Load reads the settings from environ (NAME=value, as os.Environ gives them)
// and, where that is silent, from an env file and the secret that AWS_SECRET_NAME
// names. overrides win over all; they come from command-line flags. All problems are reported at once.
func Load(environ []string, envFile string, overrides map[string]string) (*Config, error) {
	var problems Problems
	read := map[string]value{}
	if envFile != "" {
		file, err := readEnvFile(envFile)
		if err != nil {
			problems = append(problems, err.Error())
		}
		for name, text := range file {
			read[name] = value{text, envFile}
		}
	}
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		if text == "" {
			continue // set but empty is not set
		}
		read[name] = value{text, "environment"}
	}
	for name, text := range overrides {
		if text != "" {
			read[name] = value{text, "command line"}
		}
	}
	if err := exportAWS(read); err != nil {
		problems = append(problems, err.Error())
	}
	if secret := read["AWS_SECRET_NAME"].text; secret != "" {
		kept, err := readSecret(context.Background(), secret, read["AWS_REGION"].text)
		if err != nil {
			problems = append(problems, "AWS_SECRET_NAME: "+err.Error())
		}
		for name, text := range kept {
			if _, ok := read[name]; !ok && text != "" {
				read[name] = value{text, "secret " + secret}
			}
		}
	}
	c := &Config{values: map[string]value{}}
	problems = append(problems, unknownNames(read)...)
	presets := presetsFor(read)
	for _, s := range settings {
		v, ok := read[s.name]
		if !ok {
			v, ok = presets[s.name]
		}
		if !ok {
			v = value{s.preset, "default"}
		}
		c.values[s.name] = v
		if v.text == "" {
			continue
		}
		if err := s.set(c, v.text); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", s.name, err))
		}
	}
	c.derive()
	problems = append(problems, c.validate()...)
	if len(problems) > 0 {
		sort.Strings(problems)
		return c, problems
	}
	return c, nil
}

// presetsFor says what ENVIRONMENT, the original's one switch, stands for.
// Explicit settings win over it.
func presetsFor(read map[string]value) map[string]value {
	environment := read["ENVIRONMENT"].text
	preset := func(queue, store, blob string) map[string]value {
		origin := "ENVIRONMENT=" + environment
		return map[string]value{
			"BUTAKERO_QUEUE": {queue, origin}, "BUTAKERO_STORE": {store, origin}, "BUTAKERO_BLOB": {blob, origin},
		}
	}
	switch {
	case environment == "aws":
		return preset("sqs", "dynamodb", "s3")
	case environment == "local" && read["KAFKA_BROKERS"].text != "":
		return preset("kafka", "mongodb", "local")
	}
	return nil
}

// derive fills what follows from other settings.
func (c *Config) derive() {
	if c.Slots == 0 {
		c.Slots = runtime.NumCPU()
	}
	if c.LocalStoragePath == "" {
		c.LocalStoragePath = filepath.Join(c.DataDir, "audio-files")
	}
	if c.Events == "" {
		c.Events = "none"
		if c.Queue == "sqs" && c.SQS.EventsQueueURL != "" || c.Queue == "kafka" {
			c.Events = c.Queue
		}
	}
	if c.LookEvery == 0 {
		c.LookEvery = 10 * time.Second
		if c.Store == "sqlite" {
			c.LookEvery = time.Second
		}
	}
}

func (c *Config) validate() (problems Problems) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if c.Queue != "" && queues[c.Queue] == nil {
		bad("BUTAKERO_QUEUE: %q is not one of %s", c.Queue, names(queues))
	}
	if c.Store != "" && stores[c.Store] == nil {
		bad("BUTAKERO_STORE: %q is not one of %s", c.Store, names(stores))
	}
	if c.Blob != "" && blobs[c.Blob] == nil {
		bad("BUTAKERO_BLOB: %q is not one of %s", c.Blob, names(blobs))
	}
	if c.Source != "" && sources[c.Source] == nil {
		bad("BUTAKERO_SOURCE: %q is not one of %s", c.Source, names(sources))
	}
	if _, ok := publishers[c.Events]; !ok {
		bad("BUTAKERO_EVENTS: %q is not one of %s", c.Events, names(publishers))
	}
	problems = append(problems, c.checkEngines()...)
	for name, address := range map[string]string{"BUTAKERO_LISTEN": c.Listen, "BUTAKERO_WORKER_LISTEN": c.WorkerListen} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			bad("%s: %v", name, err)
		}
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			bad("BUTAKERO_PUBLIC_URL: %q is not an http or https address", c.PublicURL)
		}
	}
	if c.Lease < time.Second {
		bad("BUTAKERO_LEASE_SECONDS: at least 1")
	}
	if c.Attempt > 0 && c.Attempt >= 12*time.Hour {
		bad("SERVICE_TIMEOUT: an attempt has to end within 12 hours, the longest a queue can hold a message")
	}
	if c.Slots < 1 || c.Slots > 4096 {
		bad("BUTAKERO_WORKER_SLOTS: 1 to 4096")
	}
	if c.MediaDir != "" {
		if c.Source != "demo" {
			bad("BUTAKERO_MEDIA_DIR: is the catalogue of the demo source, and BUTAKERO_SOURCE is %q", c.Source)
		} else if info, err := os.Stat(c.MediaDir); err != nil || !info.IsDir() {
			bad("BUTAKERO_MEDIA_DIR: %s is not a readable folder", c.MediaDir)
		}
	}
	return problems
}

// checkEngines says what the engines lack that are named.
func (c *Config) checkEngines() (problems Problems) {
	uses := func(name string) bool {
		return c.Queue == name || c.Store == name || c.Blob == name || c.Events == name
	}
	need := func(engine, setting, text, why string) {
		if uses(engine) && text == "" {
			problems = append(problems, fmt.Sprintf("%s: must be set: %s", setting, why))
		}
	}
	need("kafka", "KAFKA_BROKERS", strings.Join(c.Kafka.Brokers, ","), "host:port of the brokers")
	need("mongodb", "BUTAKERO_MONGO_URI or MONGO_HOST", c.Mongo.URI+c.Mongo.Host, "how to reach MongoDB")
	need("dynamodb", "DYNAMODB_TABLE_SONGS", c.AWS.SongsTable, "the table of songs")
	need("s3", "S3_BUCKET_NAME", c.AWS.Bucket, "the bucket of the songs")
	if c.Queue == "sqs" && c.SQS.JobsQueueURL == "" {
		problems = append(problems, "BUTAKERO_SQS_JOBS_QUEUE_URL: must be set: the queue of jobs")
	}
	if c.Events == "sqs" && c.SQS.EventsQueueURL == "" {
		problems = append(problems, "SQS_QUEUE_URL: must be set when BUTAKERO_EVENTS is sqs: the queue of completion events")
	}
	if c.Events == "sqs" && c.SQS.EventsQueueURL == c.SQS.JobsQueueURL && c.Queue == "sqs" {
		problems = append(problems, "SQS_QUEUE_URL: events and jobs need a queue each")
	}
	if uses("kafka") && c.Kafka.JobsTopic == c.Kafka.EventsTopic {
		problems = append(problems, "KAFKA_TOPIC: events and jobs need a topic each")
	}
	if c.FileURLs == "presigned" && c.Blob != "s3" {
		problems = append(problems, "BUTAKERO_FILE_URLS: only s3 has presigned addresses, and BUTAKERO_BLOB is "+c.Blob)
	}
	return problems
}

// checkRole says what can not work between processes.
func (c *Config) checkRole(r Role) (problems Problems) {
	if r.API && r.Worker {
		return nil
	}
	for name, engine := range map[string]string{"BUTAKERO_QUEUE": c.Queue, "BUTAKERO_STORE": c.Store} {
		if engine == "memory" {
			problems = append(problems, name+": memory is not shared between processes: use butakero up, or another engine")
		}
	}
	return problems
}

// Public returns the base of links to the API that listens on address.
func (c *Config) Public(address string) string {
	if c.PublicURL != "" {
		return strings.TrimSuffix(c.PublicURL, "/")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "http://" + address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func names[T any](registry map[string]T) string {
	all := make([]string, 0, len(registry))
	for name := range registry {
		all = append(all, name)
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}
