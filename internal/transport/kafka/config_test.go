package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

func valid() Options {
	return Options{Brokers: []string{"localhost:9092"}, JobsTopic: "jobs", Group: "workers"}.withDefaults()
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Options)
		want   []string // parts of the error; none: no error
	}{
		"preset":       {func(*Options) {}, nil},
		"no brokers":   {func(o *Options) { o.Brokers = nil }, []string{"no brokers"}},
		"broker's URL": {func(o *Options) { o.Brokers = []string{"kafka://a:1"} }, []string{`"kafka://a:1"`, "host:port"}},
		"no port":      {func(o *Options) { o.Brokers = []string{"a"} }, []string{"host:port"}},
		"old version":  {func(o *Options) { o.Version = "2.3.0" }, []string{"2.4.0"}},
		"bad version":  {func(o *Options) { o.Version = "new" }, []string{`"new"`, defaultVersion}},
		"mechanism":    {func(o *Options) { o.SASL.Mechanism = "GSSAPI" }, []string{"SCRAM-SHA-256"}},
		"no password":  {func(o *Options) { o.SASL = SASL{Mechanism: "PLAIN", User: "u"} }, []string{"password"}},
		"no mechanism": {func(o *Options) { o.SASL.Password = "secret" }, []string{"no SASL mechanism"}},
		"half a pair":  {func(o *Options) { o.TLS = TLS{Enable: true, CertFile: "c"} }, []string{"key"}},
		"TLS is off":   {func(o *Options) { o.TLS = TLS{CAFile: "ca"} }, []string{"not enabled"}},
		"all at once": {func(o *Options) { o.Brokers, o.JobsTopic, o.Version = nil, "", "1.0.0" },
			[]string{"no brokers", "no topic", "1.0.0"}},
	} {
		o := valid()
		test.change(&o)
		err := o.validate()
		if (err == nil) != (test.want == nil) || err != nil && !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v; want something with %q", name, err, part)
			}
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password", name)
		}
	}
}

// The client's own checks accept what we build, and what matters is set.
func TestConfigs(t *testing.T) {
	t.Parallel()
	o := valid()
	p, err := producerConfig(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if !p.Producer.Idempotent || p.Producer.RequiredAcks != sarama.WaitForAll || p.Net.MaxOpenRequests != 1 {
		t.Errorf("%+v", p.Producer)
	}
	if p.ClientID != "butakero" || p.Version != sarama.V3_6_0_0 || p.Metadata.AllowAutoTopicCreation {
		t.Errorf("%s %s", p.ClientID, p.Version)
	}
	m, err := memberConfig(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	strategies := m.Consumer.Group.Rebalance.GroupStrategies
	if len(strategies) != 1 || strategies[0].Name() != sarama.CooperativeStickyBalanceStrategyName {
		t.Errorf("%v", strategies)
	}
	other, err := memberConfig(o)
	if err != nil {
		t.Fatal(err)
	}
	if strategies[0] == other.Consumer.Group.Rebalance.GroupStrategies[0] {
		t.Error("two members share a strategy, which has a state")
	}
	if m.ChannelBufferSize != 0 || m.Consumer.Fetch.Default != 64<<10 || m.Consumer.Offsets.Initial != sarama.OffsetOldest ||
		!m.Consumer.Return.Errors || !m.Consumer.Offsets.AutoCommit.Enable {
		t.Errorf("%+v", m.Consumer)
	}
	if m.Net.TLS.Enable || m.Net.SASL.Enable {
		t.Error("TLS or SASL without being asked")
	}
}

// pair writes a certificate and its key, signed by a parent or by itself.
func pair(t *testing.T, dir, name string, parent *tls.Certificate) (certFile, keyFile string, made *tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: parent == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signer, signerKey := template, any(key)
	if parent != nil {
		signer, signerKey = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, &key.PublicKey, signerKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, _, authority := pair(t, dir, "ca", nil)
	cert, key, _ := pair(t, dir, "worker", authority)
	o := valid()
	o.TLS = TLS{Enable: true, CAFile: ca, CertFile: cert, KeyFile: key}
	c, err := memberConfig(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	got := c.Net.TLS.Config
	if !c.Net.TLS.Enable || got.RootCAs == nil || len(got.Certificates) != 1 || got.InsecureSkipVerify || got.MinVersion < tls.VersionTLS12 {
		t.Errorf("%+v", got)
	}
	leaf, err := x509.ParseCertificate(got.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: got.RootCAs, DNSName: "worker"}); err != nil {
		t.Errorf("our certificate under our CA: %v", err)
	}

	o.TLS = TLS{Enable: true}
	if c, err = producerConfig(o); err != nil || !c.Net.TLS.Enable || c.Net.TLS.Config.RootCAs != nil {
		t.Errorf("the system's roots: %v", err)
	}
	for name, bad := range map[string]TLS{
		"no such CA":    {Enable: true, CAFile: filepath.Join(dir, "none")},
		"CA is no PEM":  {Enable: true, CAFile: key},
		"wrong key":     {Enable: true, CertFile: ca, KeyFile: key},
		"no such chain": {Enable: true, CertFile: filepath.Join(dir, "none"), KeyFile: key},
	} {
		o.TLS = bad
		if _, err := memberConfig(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSASL(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		o := valid()
		o.SASL = SASL{Mechanism: mechanism, User: "worker", Password: "secret"}
		if err := o.validate(); err != nil {
			t.Error(err)
		}
		c, err := memberConfig(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		s := c.Net.SASL
		if !s.Enable || string(s.Mechanism) != mechanism || s.User != "worker" || s.Password != "secret" {
			t.Errorf("%s: %+v", mechanism, s.Mechanism)
		}
		if (s.SCRAMClientGeneratorFunc != nil) != strings.HasPrefix(mechanism, "SCRAM") {
			t.Errorf("%s: SCRAM client: %v", mechanism, s.SCRAMClientGeneratorFunc != nil)
		}
	}
}

// Our side of a SCRAM conversation convinces the other one, and notices a wrong
// password.
func TestSCRAM(t *testing.T) {
	t.Parallel()
	for mechanism, hash := range map[string]scram.HashGeneratorFcn{"SCRAM-SHA-256": scram.SHA256, "SCRAM-SHA-512": scram.SHA512} {
		keeper, err := hash.NewClient("worker", "secret", "")
		if err != nil {
			t.Fatal(err)
		}
		stored, err := keeper.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
		if err != nil {
			t.Fatal(err)
		}
		server, err := hash.NewServer(func(string) (scram.StoredCredentials, error) { return stored, nil })
		if err != nil {
			t.Fatal(err)
		}
		for password, ok := range map[string]bool{"secret": true, "wrong": false} {
			ours, theirs := scramGenerator(mechanism)(), server.NewConversation()
			if err := ours.Begin("worker", password, ""); err != nil {
				t.Fatal(err)
			}
			challenge := ""
			for !ours.Done() {
				answer, err := ours.Step(challenge)
				if err != nil {
					break
				}
				if ours.Done() {
					break
				}
				if challenge, err = theirs.Step(answer); err != nil {
					break
				}
			}
			if theirs.Valid() != ok {
				t.Errorf("%s with %q: %v", mechanism, password, theirs.Valid())
			}
		}
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	want := receipt{claim: 3, offset: 1 << 40, delivery: 7}
	if got, ok := parseReceipt(want.String()); !ok || got != want {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, bad := range []string{"", "1", "1.2", "1.2.", "a.b.c", "1.2.3.4", "1.2.3 "} {
		if got, ok := parseReceipt(bad); ok {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}
