package app

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sort"
	"strconv"
	"strings"
	"time"
)

// setting is one name of the environment.
type setting struct {
	name   string
	preset string // default, as text
	help   string
	secret bool
	set    func(c *Config, text string) error
}

// settings is every name that Butakero reads. The names without the BUTAKERO_
// prefix are the original's.
var settings = []setting{
	{name: "ENVIRONMENT", help: "local with KAFKA_BROKERS: kafka + mongodb + local; aws: sqs + dynamodb + s3; nothing: embedded", set: oneOf("local", "aws")},
	{name: "BUTAKERO_QUEUE", preset: "sqlite", help: "sqlite, sqs or kafka", set: into(func(c *Config) *string { return &c.Queue })},
	{name: "BUTAKERO_STORE", preset: "sqlite", help: "sqlite, dynamodb or mongodb", set: into(func(c *Config) *string { return &c.Store })},
	{name: "BUTAKERO_BLOB", preset: "local", help: "local or s3", set: into(func(c *Config) *string { return &c.Blob })},
	{name: "BUTAKERO_SOURCE", preset: "youtube", help: "youtube, or demo (bundled samples, no network)", set: into(func(c *Config) *string { return &c.Source })},
	{name: "BUTAKERO_EVENTS", help: "where completion events go besides the API's own stream: none, sqs or kafka; the queue's system when nothing is set", set: into(func(c *Config) *string { return &c.Events })},
	{name: "BUTAKERO_EVENT_FORMAT", preset: "cloudevents", help: "cloudevents or original", set: choice(func(c *Config) *string { return &c.EventFormat }, "cloudevents", "original")},
	{name: "BUTAKERO_LISTEN", preset: "127.0.0.1:8080", help: "host:port of the API", set: into(func(c *Config) *string { return &c.Listen })},
	{name: "BUTAKERO_WORKER_LISTEN", preset: "127.0.0.1:8081", help: "host:port of a worker's health and metrics (the binary worker)", set: into(func(c *Config) *string { return &c.WorkerListen })},
	{name: "BUTAKERO_TRUSTED_PROXIES", help: "comma list of networks (10.0.0.0/8) whose X-Forwarded-For and -Proto are believed", set: func(c *Config, text string) error {
		for part := range strings.SplitSeq(text, ",") {
			prefix, err := netip.ParsePrefix(strings.TrimSpace(part))
			if err != nil {
				return fmt.Errorf("%q is not a network such as 10.0.0.0/8", part)
			}
			c.TrustedProxies = append(c.TrustedProxies, prefix)
		}
		return nil
	}},
	{name: "BUTAKERO_OPERATOR_TOKEN", secret: true, help: "what operators send as Authorization: Bearer to replay, cancel, discard and pause; without it only who is on the machine itself may", set: into(func(c *Config) *string { return &c.OperatorToken })},
	{name: "BUTAKERO_PUBLIC_URL", help: "how clients reach the API, for links in answers; derived from BUTAKERO_LISTEN", set: into(func(c *Config) *string { return &c.PublicURL })},
	{name: "BUTAKERO_DATA_DIR", preset: "data", help: "folder of the embedded databases and, unless LOCAL_STORAGE_PATH says otherwise, the songs", set: into(func(c *Config) *string { return &c.DataDir })},
	{name: "BUTAKERO_MEDIA_DIR", help: "folder of audio files as catalogue of the demo source", set: into(func(c *Config) *string { return &c.MediaDir })},
	{name: "BUTAKERO_DEMO_RATE_BYTES", help: "bytes per second that the demo source delivers; 0 or nothing: as fast as it can", set: number(func(c *Config) *int64 { return &c.DemoRate }, 0)},
	{name: "BUTAKERO_TEMP_DIR", help: "folder for what must be spooled; the system's", set: into(func(c *Config) *string { return &c.TempDir })},
	{name: "BUTAKERO_FFMPEG_PATH", preset: "ffmpeg", help: "ffmpeg, for what can not be copied", set: into(func(c *Config) *string { return &c.FFmpeg })},
	{name: "BUTAKERO_WORKER_SLOTS", help: "songs at a time in one worker; one per core", set: number(func(c *Config) *int { return &c.Slots }, 1)},
	{name: "BUTAKERO_LEASE_SECONDS", preset: "90", help: "how long a claim lasts; renewed at a third", set: seconds(func(c *Config) *time.Duration { return &c.Lease })},
	{name: "BUTAKERO_DRAIN_SECONDS", preset: "25", help: "how long songs in hand may go on after SIGTERM", set: seconds(func(c *Config) *time.Duration { return &c.Drain })},
	{name: "BUTAKERO_LOOK_SECONDS", help: "how often the reconciler looks; 1 with the sqlite store, else 10", set: seconds(func(c *Config) *time.Duration { return &c.LookEvery })},
	{name: "BUTAKERO_KEEP_OPERATIONS_DAYS", preset: "30", help: "ended operations are kept for so long after their event", set: days(func(c *Config) *time.Duration { return &c.KeepOperations }, 1)},
	{name: "BUTAKERO_KEEP_DEAD_DAYS", preset: "90", help: "dead jobs are kept for so long; 0: for ever", set: days(func(c *Config) *time.Duration { return &c.KeepDead }, 0)},
	{name: "BUTAKERO_KEEP_CANCELLED_DAYS", preset: "90", help: "cancelled jobs are kept for so long; 0: for ever", set: days(func(c *Config) *time.Duration { return &c.KeepCancelled }, 0)},
	{name: "BUTAKERO_KEEP_DONE_DAYS", preset: "0", help: "records of songs that are made are kept for so long, their files stay; 0: for ever", set: days(func(c *Config) *time.Duration { return &c.KeepDone }, 0)},
	{name: "BUTAKERO_RING_SECONDS", preset: "30", help: "a job that nobody claims is rung again after", set: seconds(func(c *Config) *time.Duration { return &c.RingEvery })},
	{name: "BUTAKERO_MAX_DURATION_SECONDS", preset: "10800", help: "longest song", set: seconds(func(c *Config) *time.Duration { return &c.MaxDuration })},
	{name: "BUTAKERO_MAX_BYTES", preset: "536870912", help: "largest download", set: number(func(c *Config) *int64 { return &c.MaxBytes }, 1)},
	{name: "BUTAKERO_RATE_PER_SECOND", preset: "50", help: "requests per second of one client; 0: no limit", set: func(c *Config, text string) error {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < 0 {
			return fmt.Errorf("%q is not a number of at least 0", text)
		}
		c.RatePerSecond = f
		return nil
	}},
	{name: "BUTAKERO_RATE_BURST", preset: "200", help: "requests that one client may make at once", set: number(func(c *Config) *int { return &c.RateBurst }, 1)},
	{name: "BUTAKERO_LOG_LEVEL", help: "debug, info, warn or error; info", set: func(c *Config, text string) error {
		return c.LogLevel.UnmarshalText([]byte(text))
	}},
	{name: "BUTAKERO_LOG_FORMAT", preset: "text", help: "text or json", set: choice(func(c *Config) *string { return &c.LogFormat }, "text", "json")},
	{name: "SERVICE_MAX_ATTEMPTS", preset: "6", help: "charged attempts before a job is dead", set: number(func(c *Config) *int { return &c.MaxAttempts }, 1)},
	{name: "SERVICE_TIMEOUT", preset: "10", help: "limit of one attempt, in minutes", set: func(c *Config, text string) error {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f <= 0 {
			return fmt.Errorf("%q is not a number of minutes", text)
		}
		c.Attempt = time.Duration(f * float64(time.Minute))
		return nil
	}},
	{name: "GIN_MODE", help: "release, debug or test: the original's log level", set: func(c *Config, text string) error {
		switch {
		case text != "release" && text != "debug" && text != "test":
			return fmt.Errorf("%q is not one of release, debug, test", text)
		case text == "debug" && c.values["BUTAKERO_LOG_LEVEL"].text == "":
			c.LogLevel = slog.LevelDebug
		}
		return nil
	}},
	{name: "LOCAL_STORAGE_PATH", help: "folder of the songs; audio-files in the data folder", set: into(func(c *Config) *string { return &c.LocalStoragePath })},
	{name: "OAUTH2", help: "accepted for the original's sake; it never had an effect", set: boolean(func(c *Config) *bool { return &c.OAuth2 })},

	{name: "BUTAKERO_SQS_JOBS_QUEUE_URL", help: "queue of jobs", set: into(func(c *Config) *string { return &c.SQS.JobsQueueURL })},
	{name: "SQS_QUEUE_URL", help: "queue of completion events", set: into(func(c *Config) *string { return &c.SQS.EventsQueueURL })},
	{name: "BUTAKERO_CREATE_RESOURCES", help: "true: make missing queues, tables and buckets", set: boolean(func(c *Config) *bool { return &c.AWS.CreateResources })},
	{name: "KAFKA_BROKERS", help: "host:port, comma list", set: list(func(c *Config) *[]string { return &c.Kafka.Brokers })},
	{name: "BUTAKERO_KAFKA_JOBS_TOPIC", preset: "butakero.jobs", help: "topic of jobs", set: into(func(c *Config) *string { return &c.Kafka.JobsTopic })},
	{name: "KAFKA_TOPIC", preset: "notification", help: "topic of completion events", set: into(func(c *Config) *string { return &c.Kafka.EventsTopic })},
	{name: "BUTAKERO_KAFKA_GROUP", preset: "butakero-workers", help: "consumer group of the workers", set: into(func(c *Config) *string { return &c.Kafka.Group })},
	{name: "BUTAKERO_KAFKA_PARTITIONS", preset: "24", help: "of a topic of jobs that is made (BUTAKERO_CREATE_RESOURCES)", set: number(func(c *Config) *int { return &c.Kafka.Partitions }, 1)},
	{name: "BUTAKERO_KAFKA_SESSION_SECONDS", preset: "10", help: "a worker that died is noticed by the group after so long", set: seconds(func(c *Config) *time.Duration { return &c.Kafka.Session })},
	{name: "BUTAKERO_KAFKA_REPLICAS", help: "of a topic that is made; the brokers' default", set: number(func(c *Config) *int { return &c.Kafka.Replicas }, 1)},
	{name: "KAFKA_ENABLE_TLS", help: "true or false", set: boolean(func(c *Config) *bool { return &c.Kafka.TLS })},
	{name: "KAFKA_CA_FILE", help: "certificate authority", set: into(func(c *Config) *string { return &c.Kafka.CAFile })},
	{name: "KAFKA_CERT_FILE", help: "client certificate", set: into(func(c *Config) *string { return &c.Kafka.CertFile })},
	{name: "KAFKA_KEY_FILE", help: "client key", set: into(func(c *Config) *string { return &c.Kafka.KeyFile })},
	{name: "BUTAKERO_KAFKA_SASL_MECHANISM", help: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", set: choice(func(c *Config) *string { return &c.Kafka.SASLMechanism }, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")},
	{name: "BUTAKERO_KAFKA_SASL_USER", help: "user", set: into(func(c *Config) *string { return &c.Kafka.User })},
	{name: "BUTAKERO_KAFKA_SASL_PASSWORD", secret: true, help: "password", set: into(func(c *Config) *string { return &c.Kafka.Password })},
	{name: "DYNAMODB_TABLE_SONGS", preset: "butakero-songs", help: "table of songs (jobs)", set: into(func(c *Config) *string { return &c.AWS.SongsTable })},
	{name: "DYNAMODB_TABLE_OPERATIONS", preset: "butakero-operations", help: "table of operations", set: into(func(c *Config) *string { return &c.AWS.OperationsTable })},
	{name: "S3_BUCKET_NAME", help: "bucket of the songs", set: into(func(c *Config) *string { return &c.AWS.Bucket })},
	{name: "BUTAKERO_S3_PATH_STYLE", help: "true: the bucket goes into the path, as some S3-compatible servers want it; always so for addresses without a name", set: boolean(func(c *Config) *bool { return &c.AWS.PathStyle })},
	{name: "BUTAKERO_FILE_URLS", preset: "api", help: "what public_url leads to: api (this API serves the files) or presigned (S3 does, for an hour)", set: choice(func(c *Config) *string { return &c.FileURLs }, "api", "presigned")},
	{name: "AWS_REGION", help: "region; endpoints come from the SDK's own AWS_ENDPOINT_URL names", set: into(func(c *Config) *string { return &c.AWS.Region })},
	{name: "AWS_SECRET_NAME", help: "secret with settings as JSON", set: into(func(c *Config) *string { return &c.AWS.SecretName })},
	{name: "BUTAKERO_MONGO_URI", secret: true, help: "connection string; instead of MONGO_*", set: into(func(c *Config) *string { return &c.Mongo.URI })},
	{name: "MONGO_USER", help: "user", set: into(func(c *Config) *string { return &c.Mongo.User })},
	{name: "MONGO_PASSWORD", secret: true, help: "password", set: into(func(c *Config) *string { return &c.Mongo.Password })},
	{name: "MONGO_HOST", help: "host, comma list", set: into(func(c *Config) *string { return &c.Mongo.Host })},
	{name: "MONGO_PORT", preset: "27017", help: "port of hosts that name none", set: into(func(c *Config) *string { return &c.Mongo.Port })},
	{name: "MONGO_DATABASE", preset: "audio_service_db", help: "database", set: into(func(c *Config) *string { return &c.Mongo.Database })},
	{name: "MONGO_COLLECTION_SONGS", preset: "Songs", help: "collection of songs (jobs)", set: into(func(c *Config) *string { return &c.Mongo.Songs })},
	{name: "MONGO_COLLECTION_OPERATIONS", preset: "Operations", help: "collection of operations", set: into(func(c *Config) *string { return &c.Mongo.Operations })},
	{name: "MONGO_ENABLE_TLS", help: "true or false", set: boolean(func(c *Config) *bool { return &c.Mongo.TLS })},
	{name: "MONGO_CA_FILE", help: "certificate authority", set: into(func(c *Config) *string { return &c.Mongo.CAFile })},
	{name: "MONGO_CERT_FILE", help: "client certificate", set: into(func(c *Config) *string { return &c.Mongo.CertFile })},
	{name: "MONGO_KEY_FILE", help: "client key", set: into(func(c *Config) *string { return &c.Mongo.KeyFile })},
	{name: "MONGO_REPLICA_SET_NAME", help: "replica set", set: into(func(c *Config) *string { return &c.Mongo.ReplicaSet })},

	{name: "YOUTUBE_API_KEY", secret: true, help: "YouTube Data API v3; without it titles are searched through yt-dlp", set: into(func(c *Config) *string { return &c.YouTube.APIKey })},
	{name: "COOKIES_YOUTUBE", help: "file of cookies for videos that need them", set: into(func(c *Config) *string { return &c.YouTube.Cookies })},
	{name: "BUTAKERO_YOUTUBE_BASE_URL", help: "scheme and host that stand in for youtube.com and googlevideo.com", set: into(func(c *Config) *string { return &c.YouTube.BaseURL })},
	{name: "BUTAKERO_YOUTUBE_API_BASE_URL", help: "scheme and host of the Data API", set: into(func(c *Config) *string { return &c.YouTube.APIBaseURL })},
	{name: "BUTAKERO_YOUTUBE_CLIENT", preset: "VISIONOS", help: "identity of the native extractor", set: into(func(c *Config) *string { return &c.YouTube.Client })},
	{name: "BUTAKERO_EXTRACTORS", preset: "native,yt-dlp", help: "order of trial", set: list(func(c *Config) *[]string { return &c.YouTube.Extractors })},
	{name: "BUTAKERO_YTDLP_PATH", preset: "yt-dlp", help: "yt-dlp", set: into(func(c *Config) *string { return &c.YouTube.YTDLPPath })},
	{name: "BUTAKERO_YTDLP_ARGS", help: "further arguments, separated by blanks", set: func(c *Config, text string) error { c.YouTube.YTDLPArgs = strings.Fields(text); return nil }},
	{name: "BUTAKERO_YOUTUBE_PROXY", secret: true, help: "proxy for all that goes to YouTube", set: into(func(c *Config) *string { return &c.YouTube.Proxy })},
	{name: "BUTAKERO_YOUTUBE_EVERY_SECONDS", preset: "8", help: "one song per so many seconds and egress, in the long run", set: seconds(func(c *Config) *time.Duration { return &c.YouTube.SongsEvery })},
	{name: "BUTAKERO_YOUTUBE_BURST", preset: "3", help: "songs that may start at once", set: number(func(c *Config) *int { return &c.YouTube.Burst }, 1)},
	{name: "BUTAKERO_YOUTUBE_PAUSE_SECONDS", preset: "60", help: "first pause after YouTube has blocked us; doubled each time, up to 6 hours", set: seconds(func(c *Config) *time.Duration { return &c.YouTube.Pause })},
	{name: "BUTAKERO_YOUTUBE_EGRESS", help: "name of the address that YouTube sees; workers with the same name share pace and pauses; the proxy's host, else direct", set: into(func(c *Config) *string { return &c.YouTube.Egress })},
	{name: "BUTAKERO_YOUTUBE_STALL_SECONDS", preset: "15", help: "media that sends no byte for so long is asked for anew, from the last byte on", set: seconds(func(c *Config) *time.Duration { return &c.YouTube.Stall })},
	{name: "BUTAKERO_YOUTUBE_MIN_RATE_BYTES", preset: "4096", help: "bytes per second below which media is asked for anew", set: number(func(c *Config) *int64 { return &c.YouTube.MinRate }, 1)},
	{name: "BUTAKERO_YOUTUBE_SEARCHES", preset: "100", help: "searches a day that the Data API key may make", set: number(func(c *Config) *int { return &c.YouTube.Searches }, 1)},
}

func into(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, text string) error { *field(c) = text; return nil }
}

func oneOf(allowed ...string) func(*Config, string) error {
	return choice(func(*Config) *string { return new(string) }, allowed...)
}

func choice(field func(*Config) *string, allowed ...string) func(*Config, string) error {
	return func(c *Config, text string) error {
		for _, a := range allowed {
			if text == a {
				*field(c) = text
				return nil
			}
		}
		return fmt.Errorf("%q is not one of %s", text, strings.Join(allowed, ", "))
	}
}

func list(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, text string) error {
		var all []string
		for _, part := range strings.Split(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
		*field(c) = all
		return nil
	}
}

func boolean(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, text string) error {
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*field(c) = b
		return nil
	}
}

func number[T int | int64](field func(*Config) *T, least T) func(*Config, string) error {
	return func(c *Config, text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < int64(least) || int64(T(n)) != n {
			return fmt.Errorf("%q is not a whole number of at least %d", text, least)
		}
		*field(c) = T(n)
		return nil
	}
}

// days is a setting of whole days.
func days(field func(*Config) *time.Duration, least int) func(*Config, string) error {
	return func(c *Config, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > 36_500 {
			return fmt.Errorf("must be a whole number of days from %d to 36500", least)
		}
		*field(c) = time.Duration(n) * 24 * time.Hour
		return nil
	}
}

func seconds(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, text string) error {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < 0 || f > 1e9 {
			return fmt.Errorf("%q is not a number of seconds", text)
		}
		*field(c) = time.Duration(f * float64(time.Second))
		return nil
	}
}

// unknownNames finds names that look like ours and are not: a misspelt setting
// must not be silently without effect.
func unknownNames(read map[string]value) (problems Problems) {
	for name, v := range read {
		if !strings.HasPrefix(name, "BUTAKERO_") || strings.HasPrefix(name, "BUTAKERO_TEST_") || known(name) {
			continue
		}
		problems = append(problems, fmt.Sprintf("%s (from %s) is no setting; did you mean %s?", name, v.origin, nearest(name)))
	}
	return problems
}

// clientNames are read by the command line, not by the servers.
var clientNames = map[string]bool{"BUTAKERO_URL": true}

func known(name string) bool {
	for _, s := range settings {
		if s.name == name {
			return true
		}
	}
	return clientNames[name]
}

func nearest(name string) string {
	best, distance := "", 1<<30
	for _, s := range settings {
		if d := editDistance(name, s.name); d < distance {
			best, distance = s.name, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next := min(row[j]+1, row[j-1]+1, diagonal+cost)
			diagonal, row[j] = row[j], next
		}
	}
	return row[len(b)]
}

// Setting is a line of config check.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Help   string `json:"help"`
}

// Settings returns the effective settings by name, secrets masked.
func (c *Config) Settings() []Setting {
	all := make([]Setting, 0, len(settings))
	for _, s := range settings {
		v := c.values[s.name]
		text := v.text
		if s.secret && text != "" {
			text = "********"
		}
		all = append(all, Setting{s.name, text, v.origin, s.help})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}
