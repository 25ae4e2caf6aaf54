package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// sqs is ElasticMQ, which keeps everything in memory. Where it differs from SQS: a
// stale receipt handle is an error, and extending after expiry is none.
func sqs() *engine {
	return &engine{
		name:  "sqs",
		ports: 1,
		install: func(ctx context.Context) (string, error) {
			return maven(ctx, "elasticmq-1.7.1", []string{"org.elasticmq:elasticmq-server_2.13:1.7.1"}, nil)
		},
		prepare: func(s *Server) error {
			return os.WriteFile(filepath.Join(s.folder, "elasticmq.conf"), fmt.Appendf(nil, elasticMQ, s.ports[0]), 0o644)
		},
		command: func(s *Server) *exec.Cmd {
			return java(s.program, []string{"-Xmx256m", "-Dconfig.file=elasticmq.conf"}, "org.elasticmq.server.Main")
		},
		ready: func(ctx context.Context, s *Server) error {
			return answers(ctx, s.Address+"/?Action=ListQueues", http.StatusOK)
		},
		address:     httpAddress,
		environment: func(address string) []string { return []string{"BUTAKERO_TEST_SQS_ENDPOINT=" + address} },
	}
}

const elasticMQ = `include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = %[1]d, context-path = "" }
rest-sqs { enabled = true, bind-port = %[1]d, bind-hostname = "127.0.0.1", sqs-limits = strict }
rest-stats { enabled = false }
aws { region = "us-east-1", accountId = "000000000000" }
`

func httpAddress(s *Server) string { return "http://" + local(s.ports[0]) }

// answers asks a URL for a status code.
func answers(ctx context.Context, url string, status int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != status {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}
