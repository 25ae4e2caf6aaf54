package servers

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// Key and Secret open the S3 servers that this package starts.
const (
	Key    = "butakero-test"
	Secret = "butakero-test-secret"
)

const minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c"

// s3 is MinIO.
func s3() *engine {
	return &engine{
		name:  "s3",
		ports: 2, // clients, console
		install: func(ctx context.Context) (string, error) {
			return fill(ctx, "minio-"+minioVersion, func(ctx context.Context, stage string) error {
				// A build of some minutes, once.
				return run(ctx, stage, []string{"GOFLAGS=-buildvcs=false", "GOWORK=off", "GOBIN=" + stage}, "go", "install", "github.com/minio/minio@"+minioVersion)
			})
		},
		prepare: func(*Server) error { return nil },
		command: func(s *Server) *exec.Cmd {
			cmd := exec.Command(filepath.Join(s.program, "minio"), "server", "--address", local(s.ports[0]), "--console-address", local(s.ports[1]), s.data())
			cmd.Env = append(os.Environ(), "MINIO_UPDATE=off", "MINIO_ROOT_USER="+Key, "MINIO_ROOT_PASSWORD="+Secret)
			return cmd
		},
		ready: func(ctx context.Context, s *Server) error {
			return answers(ctx, s.Address+"/minio/health/ready", http.StatusOK)
		},
		address: httpAddress,
		environment: func(address string) []string {
			return []string{"BUTAKERO_TEST_S3_ENDPOINT=" + address, "BUTAKERO_TEST_S3_KEY=" + Key, "BUTAKERO_TEST_S3_SECRET=" + Secret}
		},
	}
}
