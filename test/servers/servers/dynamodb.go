package servers

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// dynamodb is dynalite, or DynamoDB Local where the person who runs the tests has
// chosen it.
func dynamodb() *engine {
	if os.Getenv("BUTAKERO_TEST_DYNAMODB") == "local" {
		return dynamodbLocal()
	}
	return dynalite()
}

//go:embed dynalite.json
var dynalitePackage []byte

//go:embed dynalite-lock.json
var dynaliteLock []byte

// dynalite keeps its tables on disk. What it lacks: ReturnValuesOnConditionCheckFailure
// (the exception carries no item), TTL settings, transactions, PartiQL.
func dynalite() *engine {
	return &engine{
		name:  "dynamodb",
		ports: 1,
		install: func(ctx context.Context) (string, error) {
			if _, err := need(ctx, "node", "nodejs"); err != nil {
				return "", err
			}
			return fill(ctx, "dynalite-4.0.0-"+hash(string(dynaliteLock)), func(ctx context.Context, stage string) error {
				npm, err := need(ctx, "npm", "npm")
				if err != nil {
					return err
				}
				err = errors.Join(
					os.WriteFile(filepath.Join(stage, "package.json"), dynalitePackage, 0o644),
					os.WriteFile(filepath.Join(stage, "package-lock.json"), dynaliteLock, 0o644))
				if err != nil {
					return err
				}
				return run(ctx, stage, nil, npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
			})
		},
		prepare: func(*Server) error { return nil },
		command: func(s *Server) *exec.Cmd {
			return exec.Command("node", "--import", sparePartners, filepath.Join(s.program, "node_modules", "dynalite", "cli.js"),
				"--port", strconv.Itoa(s.ports[0]), "--host", "127.0.0.1", "--path", s.data(),
				"--createTableMs", "0", "--deleteTableMs", "0", "--updateTableMs", "0")
		},
		ready:       func(ctx context.Context, s *Server) error { return answers(ctx, s.Address, http.StatusOK) },
		address:     httpAddress,
		environment: dynamodbEnvironment,
	}
}

// sparePartners keeps dynalite alive when a client is killed in mid-request, which it
// takes for a bug of its own.
const sparePartners = "data:text/javascript,process.on('uncaughtException',e=>{if(e.code!=='ECONNRESET'){console.error(e);process.exit(1)}})"

// dynamodbLocal is Amazon's own, which keeps everything in memory. Its error answers
// lack a checksum: clients set DisableValidateResponseChecksum.
func dynamodbLocal() *engine {
	return &engine{
		name:  "dynamodb",
		ports: 1,
		install: func(ctx context.Context) (string, error) {
			return maven(ctx, "dynamodb-local-3.3.1", []string{"software.amazon.dynamodb:DynamoDBLocal:3.3.1"}, nil)
		},
		prepare: func(*Server) error { return nil },
		command: func(s *Server) *exec.Cmd {
			return java(s.program, []string{"-Xmx512m"}, "software.amazon.dynamodb.services.local.main.ServerRunner",
				"-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(s.ports[0]))
		},
		ready:       func(ctx context.Context, s *Server) error { return answers(ctx, s.Address, http.StatusBadRequest) },
		address:     httpAddress,
		environment: dynamodbEnvironment,
	}
}

func dynamodbEnvironment(address string) []string {
	return []string{"BUTAKERO_TEST_DYNAMODB_ENDPOINT=" + address}
}
