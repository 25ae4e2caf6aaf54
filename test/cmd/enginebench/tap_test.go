package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func kafkaRequest(key int16, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, 11)
	return append(b, body...)
}

func mongoMessage(kind uint32, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
	for _, v := range []uint32{7, 0, kind} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, body...)
}

// command is an OP_MSG with a document {name: 1}.
func command(name string) []byte {
	document := append([]byte{0x10}, name...)
	document = append(document, 0, 1, 0, 0, 0, 0)
	body := binary.LittleEndian.AppendUint32([]byte{0, 0, 0, 0, 0}, uint32(4+len(document)))
	return mongoMessage(2013, append(body, document...))
}

func TestParsers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parse parser
		sent  []byte
		want  string // names with spaces between
		fails bool
	}{
		"kafka":              {parseKafka, append(kafkaRequest(1, "xxxx"), kafkaRequest(12, "correlation")...), "Fetch Heartbeat", false},
		"kafka, unknown":     {parseKafka, kafkaRequest(99, "xxxx"), "request-99", false},
		"kafka, cut":         {parseKafka, kafkaRequest(1, "xxxx")[:10], "", true},
		"kafka, no request":  {parseKafka, []byte("GET / HTTP/1.1\r\n\r\n"), "", true},
		"kafka, no length":   {parseKafka, []byte{0, 0, 0, 2, 0, 1, 0, 0}, "", true},
		"mongo":              {parseMongo, append(command("find"), command("hello")...), "find hello", false},
		"mongo, old kind":    {parseMongo, append(mongoMessage(2004, []byte("anything")), command("ping")...), "message-2004 ping", false},
		"mongo, cut in name": {parseMongo, command("find")[:28], "", true},
		"dynamodb": {parseAWS, []byte("POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.Query\r\nContent-Length: 3\r\n\r\n{ }" +
			"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: 0\r\n\r\n"), "Query ReceiveMessage", false},
		"s3":        {parseAWS, []byte("HEAD /bucket HTTP/1.1\r\nHost: x\r\n\r\n"), "HEAD", false},
		"http, cut": {parseAWS, []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n{ }"), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := bufio.NewReader(bytes.NewReader(c.sent))
			var names []string
			for {
				name, err := c.parse(r)
				if err == io.EOF { //nolint:errorlint // the end between two requests, and no other
					break
				}
				if err != nil {
					if !c.fails {
						t.Fatal(err)
					}
					return
				}
				names = append(names, strings.ReplaceAll(name, " ", "-"))
			}
			if got := strings.Join(names, " "); got != c.want || c.fails {
				t.Errorf("%q, want %q, failure %v", got, c.want, c.fails)
			}
		})
	}
}

// A tap changes nothing, counts what passes, and cuts what is open when it is closed.
func TestTap(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	tap, err := newTap(t.Context(), "127.0.0.1:0", server.Listener.Addr().String(), parseAWS)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	for i := range 3 {
		body := strings.Repeat("echo", 1+i*50_000)
		answer, err := client.Post("http://"+tap.address(), "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || string(got) != body {
			t.Fatalf("%d bytes came back of %d, %v", len(got), len(body), err)
		}
	}
	if got := tap.so(); !maps.Equal(got, map[string]int{"POST": 3}) {
		t.Error(got)
	}
	idle, err := net.Dial("tcp", tap.address())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close() //nolint:errcheck // a test's
	if err := tap.close(); err != nil {
		t.Error(err)
	}
	_ = idle.SetReadDeadline(time.Now().Add(10 * time.Second))
	var timeout net.Error
	if _, err := idle.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("a connection outlives the tap: %v", err)
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	n, names := difference(map[string]int{"find": 5, "hello": 2}, map[string]int{"find": 8, "hello": 2, "ping": 3, "update": 9})
	if n != 15 || names != "9 update, 3 find, 3 ping" {
		t.Error(n, names)
	}
	if n, names := difference(nil, nil); n != 0 || names != "nothing" {
		t.Error(n, names)
	}
}

func TestHourly(t *testing.T) {
	t.Parallel()
	if got := hourly(2, 40*time.Second); got != 180 {
		t.Error(got)
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1:9092": "127.0.0.1:9092", "http://127.0.0.1:9324": "127.0.0.1:9324", "mongodb://127.0.0.1:27017/?replicaSet=rs0": "127.0.0.1:27017",
	} {
		if got := host(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}
