package double

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// tunnel is the inside of the proxy: a listener whose connections come out of
// CONNECT requests.
type tunnel struct {
	config *tls.Config
	ca     []byte
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// newTunnel makes an authority and a certificate for all of YouTube's names. Both
// live as long as the double.
func newTunnel() (*tunnel, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Butakero's double of YouTube: trust it in tests alone"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "www.youtube.com"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{
			"youtube.com", "*.youtube.com", "youtu.be", "*.googlevideo.com", "i.ytimg.com", "*.googleapis.com",
			"youtube-nocookie.com", "*.youtube-nocookie.com",
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	return &tunnel{
		config: &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{der, caDER}, PrivateKey: key}},
			NextProtos:   []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
		},
		ca:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}),
		conns: make(chan net.Conn), closed: make(chan struct{}),
	}, nil
}

// CA returns the certificate of the proxy's authority, in PEM.
func (d *Double) CA() []byte { return d.tunnel.ca }

// Accept implements net.Listener.
func (t *tunnel) Accept() (net.Conn, error) {
	select {
	case c := <-t.conns:
		return c, nil
	case <-t.closed:
		return nil, errClosed
	}
}

// Close implements net.Listener.
func (t *tunnel) Close() error { t.shut(); return nil }

func (t *tunnel) shut() { t.once.Do(func() { close(t.closed) }) }

// Addr implements net.Listener.
func (t *tunnel) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// serveConnect answers CONNECT: YouTube's hosts lead here, all others nowhere.
func (d *Double) serveConnect(w http.ResponseWriter, r *http.Request) {
	if !isYouTube(r.Host) {
		x := d.journal.open(w, Request{At: time.Now(), Kind: KindRefused, Method: r.Method, Host: r.Host, Agent: r.UserAgent(), Proxied: true})
		defer x.done()
		http.Error(x, "", http.StatusBadGateway)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	secure := tls.Server(&ahead{conn, buffered.Reader}, d.tunnel.config)
	select {
	case d.tunnel.conns <- secure:
	case <-d.closing:
		_ = conn.Close()
	}
}

// ahead is a connection of which something has been read already.
type ahead struct {
	net.Conn
	r *bufio.Reader
}

// Read implements io.Reader.
func (a *ahead) Read(b []byte) (int, error) { return a.r.Read(b) }

// SetLinger is net.TCPConn's.
func (a *ahead) SetLinger(sec int) error {
	if t, ok := a.Conn.(*net.TCPConn); ok {
		return t.SetLinger(sec)
	}
	return nil
}

// silent drops what http.Server says of connections that tests break.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
