package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
)

// connectionConfig holds what producers, consumers and questions have in common.
func connectionConfig(o Options) (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.ClientID = o.ClientID
	version, err := sarama.ParseKafkaVersion(o.Version)
	if err != nil {
		return nil, fmt.Errorf("%w: version %q", ErrOptions, o.Version)
	}
	c.Version = version
	c.Net.DialTimeout = 5 * time.Second
	c.Net.ReadTimeout = 10 * time.Second
	c.Net.WriteTimeout = 10 * time.Second
	c.Metadata.Full = false
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.Retry.Max = 3
	c.Metadata.Retry.Backoff = 100 * time.Millisecond
	c.Admin.Timeout = 10 * time.Second
	if o.TLS.Enable {
		c.Net.TLS.Enable = true
		if c.Net.TLS.Config, err = tlsConfig(o.TLS); err != nil {
			return nil, err
		}
	}
	if o.SASL.Mechanism != "" {
		c.Net.SASL.Enable = true
		c.Net.SASL.Mechanism = sarama.SASLMechanism(o.SASL.Mechanism)
		c.Net.SASL.User = o.SASL.User
		c.Net.SASL.Password = o.SASL.Password
		c.Net.SASL.SCRAMClientGeneratorFunc = scramGenerator(o.SASL.Mechanism)
	}
	return c, nil
}

// tlsConfig reads the files. What is wrong with one is said with its name, never
// with its contents.
func tlsConfig(t TLS) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	var problems []error
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: CA file: %w", ErrOptions, err))
		} else {
			c.RootCAs = x509.NewCertPool()
			if !c.RootCAs.AppendCertsFromPEM(pem) {
				problems = append(problems, fmt.Errorf("%w: CA file %s holds no PEM certificate", ErrOptions, t.CAFile))
			}
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: certificate %s with key %s: %w", ErrOptions, t.CertFile, t.KeyFile, err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, errors.Join(problems...)
}

// producerConfig: what a broker says it has, all in-sync replicas have, once and
// in order.
func producerConfig(o Options) (*sarama.Config, error) {
	c, err := connectionConfig(o)
	if err != nil {
		return nil, err
	}
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Net.MaxOpenRequests = 1
	c.Producer.Retry.Max = 5
	c.Producer.Retry.Backoff = 200 * time.Millisecond
	c.Producer.Timeout = 5 * time.Second
	c.Producer.Return.Successes = true
	c.Producer.Return.Errors = true
	return c, nil
}

// memberConfig is that of one member of the group; its strategy has a state, so
// every member gets a config of its own.
func memberConfig(o Options) (*sarama.Config, error) {
	c, err := connectionConfig(o)
	if err != nil {
		return nil, err
	}
	c.ChannelBufferSize = 0
	c.Net.ReadTimeout = o.Rebalance + 10*time.Second // a join is answered when all have joined
	c.Consumer.Return.Errors = true
	c.Consumer.Fetch.Default = 64 << 10
	c.Consumer.Fetch.MaxBytes = 4 << 20
	c.Consumer.MaxWaitTime = o.Wait
	c.Consumer.Retry.Backoff = 250 * time.Millisecond
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = true
	c.Consumer.Offsets.AutoCommit.Interval = o.Commit
	g := &c.Consumer.Group
	g.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	g.Rebalance.Timeout = o.Rebalance
	g.Rebalance.Retry.Backoff = 100 * time.Millisecond
	g.Rebalance.Retry.Max = 10
	g.Session.Timeout = o.Session
	g.Heartbeat.Interval = o.Heartbeat
	// With false a member that meets an offset that is no longer there ends its
	// session with all its partitions, again and again. So the client goes on from
	// the oldest, and claim.go finds out that it did and raises the alarm.
	g.ResetInvalidOffsets = true
	return c, nil
}
