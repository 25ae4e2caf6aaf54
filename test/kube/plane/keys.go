package plane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// keys are the control plane's, for one run: an authority, and what it signed for the
// API server (server), for the API server as a client of aggregated ones (front), and
// the key that service accounts' tokens are signed with (accounts).
type keys struct {
	folder string
	token  string // of the administrator
	ca     *x509.Certificate
	caKey  crypto.Signer
}

func makeKeys(folder string) (*keys, error) {
	k := &keys{folder: folder, token: rand.Text()}
	if err := k.certificate("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}); err != nil {
		return nil, err
	}
	for _, name := range []string{"server", "front"} {
		if err := k.signed(name); err != nil {
			return nil, err
		}
	}
	return k, k.certificate("accounts", &x509.Certificate{})
}

// signed makes a certificate for a server or client on this machine.
func (k *keys) signed(name string) error {
	return k.certificate(name, &x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost", "keda-metrics-apiserver.keda.svc", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
}

// pair fills a folder as a mounted secret of kind tls is.
func (k *keys) pair(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	ca, err := os.ReadFile(filepath.Join(k.folder, "ca.crt"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "ca.crt"), ca, 0o600); err != nil {
		return err
	}
	return k.signed(filepath.Join(filepath.Base(folder), "tls"))
}

// certificate writes name.crt and name.key.
func (k *keys) certificate(name string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent, signer := k.ca, k.caKey
	if parent == nil {
		parent, signer = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", name, err)
	}
	if k.ca == nil {
		if k.ca, err = x509.ParseCertificate(raw); err != nil {
			return err
		}
		k.caKey = key
	}
	rawKey, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	for suffix, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: raw}, ".key": {Type: "EC PRIVATE KEY", Bytes: rawKey}} {
		if err := os.WriteFile(filepath.Join(k.folder, name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
