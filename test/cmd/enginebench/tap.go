package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
)

// tap stands between clients and a server, passes everything on as it is, and counts
// the clients' requests by their names.
type tap struct {
	listener net.Listener
	target   string
	parse    parser

	mu     sync.Mutex
	counts map[string]int
	open   map[net.Conn]bool
	done   sync.WaitGroup
}

// parser reads one request and returns its name; io.EOF between two of them is the end.
type parser func(r *bufio.Reader) (name string, err error)

// newTap listens at address.
func newTap(ctx context.Context, address, target string, parse parser) (*tap, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	t := &tap{listener: l, target: target, parse: parse, counts: map[string]int{}, open: map[net.Conn]bool{}}
	t.done.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			t.done.Go(func() { t.pass(client) })
		}
	})
	return t, nil
}

func (t *tap) address() string { return t.listener.Addr().String() }

// close cuts all connections.
func (t *tap) close() error {
	err := t.listener.Close()
	t.mu.Lock()
	for c := range t.open {
		_ = c.Close()
	}
	t.open = nil
	t.mu.Unlock()
	t.done.Wait()
	return err
}

// so is what has been counted so far.
func (t *tap) so() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// keep notes a connection, to be cut by close; false: it is too late.
func (t *tap) keep(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		_ = c.Close()
		return false
	}
	t.open[c] = true
	return true
}

func (t *tap) drop(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, c)
	_ = c.Close()
}

func (t *tap) pass(client net.Conn) {
	if !t.keep(client) {
		return
	}
	defer t.drop(client)
	server, err := net.Dial("tcp", t.target)
	if err != nil || !t.keep(server) {
		return
	}
	defer t.drop(server)
	copied, heard := io.Pipe()
	var both sync.WaitGroup
	both.Go(func() { t.listen(copied) })
	both.Go(func() {
		_, _ = io.Copy(io.MultiWriter(server, heard), client)
		_ = heard.Close()
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	both.Wait()
}

// listen counts the requests of a connection; what it does not understand it counts
// once as that, and lets the rest pass.
func (t *tap) listen(r io.Reader) {
	b := bufio.NewReader(r)
	for {
		name, err := t.parse(b)
		if err == io.EOF { //nolint:errorlint // in the middle of a request it is io.ErrUnexpectedEOF
			return
		}
		if err != nil {
			name = "not understood"
		}
		t.mu.Lock()
		t.counts[name]++
		t.mu.Unlock()
		if err != nil {
			_, _ = io.Copy(io.Discard, b)
			return
		}
	}
}

// kafkaNames are the requests that a client of a group makes.
var kafkaNames = map[int16]string{
	0: "Produce", 1: "Fetch", 2: "ListOffsets", 3: "Metadata", 8: "OffsetCommit", 9: "OffsetFetch", 10: "FindCoordinator",
	11: "JoinGroup", 12: "Heartbeat", 13: "LeaveGroup", 14: "SyncGroup", 17: "SaslHandshake", 18: "ApiVersions", 19: "CreateTopics", 22: "InitProducerId",
}

// parseKafka reads a request of Kafka: a length, and a header that begins with the
// number of the request's kind.
func parseKafka(r *bufio.Reader) (string, error) {
	var head struct {
		Length       int32
		Key, Version int16
	}
	if err := binary.Read(r, binary.BigEndian, &head); err != nil {
		return "", err
	}
	if head.Length < 4 {
		return "", fmt.Errorf("a request of %d bytes", head.Length)
	}
	name, ok := kafkaNames[head.Key]
	if !ok {
		name = fmt.Sprint("request ", head.Key)
	}
	return name, skip(r, int64(head.Length)-4)
}

// parseMongo reads an OP_MSG: its command is the name of the document's first field.
func parseMongo(r *bufio.Reader) (string, error) {
	var head struct{ Length, ID, To, Kind int32 }
	if err := binary.Read(r, binary.LittleEndian, &head); err != nil {
		return "", err
	}
	const message, before = 2013, 4 + 1 + 4 + 1 // flags, the section's kind, the document's length, its first field's type
	left := int64(head.Length) - 16
	if head.Kind != message {
		return fmt.Sprint("message ", head.Kind), skip(r, left)
	}
	if err := skip(r, before); err != nil {
		return "", err
	}
	name, err := r.ReadString(0)
	if err != nil {
		return "", noEOF(err)
	}
	return strings.TrimSuffix(name, "\x00"), skip(r, left-before-int64(len(name)))
}

// parseAWS reads a request of HTTP, with the operation's name where its protocol has
// one, which that of S3 has not.
func parseAWS(r *bufio.Reader) (string, error) {
	request, err := http.ReadRequest(r)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return "", noEOF(err)
	}
	if _, operation, ok := strings.Cut(request.Header.Get("X-Amz-Target"), "."); ok {
		return operation, nil
	}
	return request.Method, nil
}

func skip(r io.Reader, n int64) error {
	_, err := io.CopyN(io.Discard, r, n)
	return noEOF(err)
}

func noEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.ReadFull does
		return io.ErrUnexpectedEOF
	}
	return err
}
