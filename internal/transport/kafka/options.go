package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// Options are the settings of a queue. Brokers, JobsTopic and Group must be set;
// all else may be zero.
type Options struct {
	Brokers   []string // host:port of some of the cluster's brokers
	JobsTopic string
	Group     string // all workers of a fleet share it
	ClientID  string // in the brokers' logs, metrics and quotas; "butakero"
	Version   string // of the protocol, at most the brokers' own; 3.6.0, at least 2.4.0

	TLS  TLS
	SASL SASL

	// CreateResources makes a topic that is missing, with Partitions (24) and
	// ReplicationFactor (the brokers' default).
	CreateResources   bool
	Partitions        int
	ReplicationFactor int

	Log *slog.Logger

	// Times of the consumer group. A member that dies is noticed after Session,
	// one that comes or goes after about two Heartbeats and two Waits.
	Session   time.Duration // 10 s
	Heartbeat time.Duration // 300 ms
	Rebalance time.Duration // all members have to take part in a rebalance within; 30 s
	Wait      time.Duration // the broker answers an empty fetch after; 250 ms
	Commit    time.Duration // offsets are committed so often; 1 s
	LeaveIdle time.Duration // without a receiver the group is left after; 3 s
}

// TLS says how the brokers are reached. The files are PEM.
type TLS struct {
	Enable   bool
	CAFile   string // who signs the brokers' certificates; the system's roots
	CertFile string // our own certificate, when the brokers ask for one
	KeyFile  string
}

// SASL says who we are; no mechanism means nobody asks.
type SASL struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	User      string
	Password  string
}

// Errors of Open and OpenPublisher, found with errors.Is.
var (
	ErrOptions = errors.New("wrong settings for kafka")
	ErrNoTopic = errors.New("the topic does not exist")
)

// defaultVersion is spoken where Options.Version is empty; oldestVersion is the
// first with cooperative rebalances.
const defaultVersion = "3.6.0"

var oldestVersion = sarama.V2_4_0_0

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (o Options) withDefaults() Options {
	setDefault(&o.ClientID, "butakero")
	setDefault(&o.Version, defaultVersion)
	setDefault(&o.Partitions, 24)
	setDefault(&o.Session, 10*time.Second)
	setDefault(&o.Heartbeat, 300*time.Millisecond)
	setDefault(&o.Rebalance, 30*time.Second)
	setDefault(&o.Wait, 250*time.Millisecond)
	setDefault(&o.Commit, time.Second)
	setDefault(&o.LeaveIdle, 3*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate reports every problem at once.
func (o Options) validate() error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...))
	}
	if len(o.Brokers) == 0 {
		bad("no brokers")
	}
	for _, b := range o.Brokers {
		if !strings.Contains(b, ":") || strings.Contains(b, "://") {
			bad("broker %q: want host:port", b)
		}
	}
	if o.JobsTopic == "" {
		bad("no topic")
	}
	v, err := sarama.ParseKafkaVersion(o.Version)
	switch {
	case err != nil:
		bad("version %q: want one such as %s", o.Version, defaultVersion)
	case !v.IsAtLeast(oldestVersion):
		bad("version %s: cooperative rebalances need %s", o.Version, oldestVersion)
	}
	switch o.SASL.Mechanism {
	case "":
		if o.SASL.User != "" || o.SASL.Password != "" {
			bad("a user or password, but no SASL mechanism")
		}
	case sarama.SASLTypePlaintext, sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		if o.SASL.User == "" || o.SASL.Password == "" {
			bad("SASL %s needs a user and a password", o.SASL.Mechanism)
		}
	default:
		bad("SASL mechanism %q: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", o.SASL.Mechanism)
	}
	if (o.TLS.CertFile == "") != (o.TLS.KeyFile == "") {
		bad("a certificate and its key come together")
	}
	if !o.TLS.Enable && (o.TLS.CAFile != "" || o.TLS.CertFile != "" || o.TLS.KeyFile != "") {
		bad("TLS files are set, but TLS is not enabled")
	}
	return errors.Join(problems...)
}
