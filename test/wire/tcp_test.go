package wire_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/test/servers/servers"
	"github.com/butakero/butakero/test/wire"
)

// echo is a server that says what it hears.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the test is over
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c) // it is a line in bad times
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// line is a connection that says a line and hears it back.
type line struct {
	net.Conn
	heard *bufio.Reader
}

func dial(address string) (*line, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &line{c, bufio.NewReader(c)}, nil
}

func (l *line) say(within time.Duration) error {
	if err := l.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	if _, err := l.Write([]byte("hello\n")); err != nil {
		return err
	}
	_, err := l.heard.ReadString('\n')
	return err
}

func TestTCPFaults(t *testing.T) {
	t.Parallel()
	const short = 200 * time.Millisecond
	silent := func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
	broken := func(err error) bool { return err != nil && !silent(err) }
	for _, c := range []struct {
		name  string
		fault func(*wire.TCP)
		seen  func(error) bool
		dial  bool // new connections are taken
	}{
		{"cut", (*wire.TCP).Cut, broken, false},
		{"reset", (*wire.TCP).Reset, broken, true},
		{"half-open", func(p *wire.TCP) { p.HalfOpen() }, silent, true},
		{"half-open-down", func(p *wire.TCP) { p.HalfOpen(wire.Down) }, silent, true},
		{"slow", func(p *wire.TCP) { p.Slow(time.Minute, wire.Up) }, silent, true},
		{"slow-changed", func(p *wire.TCP) { p.Slow(time.Minute); p.Slow(time.Millisecond) }, func(err error) bool { return err == nil }, true},
		{"limit", func(p *wire.TCP) { p.Limit(3, wire.Down) }, broken, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := wire.NewTCP(t, echo(t))
			old, err := dial(p.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = old.Close() }() // the test is over
			if err := old.say(patience); err != nil {
				t.Fatal(err)
			}
			c.fault(p)
			if err := old.say(short); !c.seen(err) {
				t.Errorf("an old connection sees %v", err)
			}
			fresh, err := dial(p.Address)
			if (err == nil) != c.dial {
				t.Errorf("a new connection: %v", err)
			}
			if err == nil {
				if err := fresh.say(short); !c.seen(err) {
					t.Errorf("a new connection sees %v", err)
				}
				_ = fresh.Close() // it is no longer looked at
			}
			p.Heal()
			healed, err := dial(p.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = healed.Close() }() // the test is over
			if err := healed.say(patience); err != nil {
				t.Errorf("healed: %v", err)
			}
		})
	}
}

func TestKafkaThroughAProxy(t *testing.T) {
	t.Parallel()
	p, _ := wire.NewKafka(t)
	c := sarama.NewConfig()
	c.Version = sarama.V3_9_0_0
	c.Net.DialTimeout, c.Net.ReadTimeout = time.Second, time.Second
	c.Metadata.Retry.Max = 0
	client, err := sarama.NewClient([]string{p.Address}, c)
	if err != nil {
		t.Fatal(err)
	}
	if b := client.Brokers(); len(b) != 1 || b[0].Addr() != p.Address {
		t.Fatalf("the broker sends clients to %v, not to the proxy", b)
	}
	p.Cut()
	if err := client.RefreshMetadata(); err == nil {
		t.Error("cut, the broker answers: there is a way past the proxy")
	}
	p.Heal()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := sarama.NewClient([]string{p.Address}, c)
	if err != nil {
		t.Fatalf("healed: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestMongoThroughAProxy(t *testing.T) {
	t.Parallel()
	p := wire.NewMongo(t, servers.NewMongo(t))
	client, err := mongo.Connect(options.Client().ApplyURI(p.MongoURI()).SetServerSelectionTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) }() // the test is over
	insert := func(ctx context.Context, id string) error {
		_, err := client.Database("wire").Collection("c").InsertOne(ctx, bson.M{"_id": id})
		return err
	}
	if err := insert(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	p.HalfOpen()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := insert(ctx, "lost"); err == nil {
		t.Error("half open, it answers")
	}
	p.Heal()
	if err := insert(t.Context(), "after"); err != nil {
		t.Errorf("healed: %v", err)
	}
}
