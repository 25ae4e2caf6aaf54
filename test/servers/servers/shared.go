package servers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// S3Account is an S3 server and what opens it.
type S3Account struct {
	Endpoint, Key, Secret string
}

// Kafka returns the addresses of the shared broker.
func Kafka(tb testing.TB) []string {
	tb.Helper()
	return strings.Split(shared(tb, "kafka"), ",")
}

// SQS returns the URL of the shared ElasticMQ: region us-east-1, any key.
func SQS(tb testing.TB) string { tb.Helper(); return shared(tb, "sqs") }

// DynamoDB returns the URL of the shared dynalite: any region, any key.
func DynamoDB(tb testing.TB) string { tb.Helper(); return shared(tb, "dynamodb") }

// Mongo returns the URI of the shared replica set of one.
func Mongo(tb testing.TB) string { tb.Helper(); return shared(tb, "mongo") }

// S3 returns the shared MinIO.
func S3(tb testing.TB) S3Account {
	tb.Helper()
	account := S3Account{Endpoint: shared(tb, "s3"), Key: Key, Secret: Secret}
	if Given("s3") != "" { // somebody's own
		account.Key, account.Secret = os.Getenv("BUTAKERO_TEST_S3_KEY"), os.Getenv("BUTAKERO_TEST_S3_SECRET")
	}
	return account
}

// Given returns the address that the environment gives for a server, if it does.
func Given(name string) string {
	for _, e := range engines() {
		if e.name == name {
			variable, _, _ := strings.Cut(e.environment("")[0], "=")
			return os.Getenv(variable)
		}
	}
	return ""
}

// own are the shared servers that this process has started.
var own = func() map[string]func() (*Server, error) {
	all := map[string]func() (*Server, error){}
	for _, e := range engines() {
		all[e.name] = sync.OnceValues(func() (*Server, error) {
			folder, err := ownFolder(e.name)
			if err != nil {
				return nil, err
			}
			// It outlives the test that is the first to ask.
			s, err := create(context.Background(), e, folder, false)
			if err == nil {
				keep(s)
			}
			return s, err
		})
	}
	return all
}()

func shared(tb testing.TB, name string) string {
	tb.Helper()
	if address := realAddress(name); address != "" {
		return address
	}
	if address := Given(name); address != "" {
		return address
	}
	s, err := own[name]()
	if err != nil {
		tb.Fatal(err)
	}
	return s.Address
}

// runFolder is where this process's servers have their folders. It is removed by
// [Main], or by the next process that starts servers.
var runFolder = sync.OnceValues(func() (string, error) {
	root, err := cacheFolder()
	if err != nil {
		return "", err
	}
	root = filepath.Join(root, "run")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(context.Background(), filepath.Join(root, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := sweep(root); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(root, strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", err
	}
	started.Lock()
	started.folder = folder
	started.Unlock()
	// Held until this process ends: it says that the folder is in use. What would
	// give it up is kept, for a file that nobody knows is closed.
	release, err := lock(context.Background(), filepath.Join(folder, "lock"))
	started.Lock()
	started.release = release
	started.Unlock()
	return folder, err
})

// sweep removes the folders of processes that are gone.
func sweep(root string) error {
	locks, err := filepath.Glob(filepath.Join(root, "*", "lock"))
	for _, path := range locks {
		file, failed := os.OpenFile(path, os.O_RDWR, 0)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		if tryLock(file) {
			err = errors.Join(err, os.RemoveAll(filepath.Dir(path)))
		}
		err = errors.Join(err, file.Close())
	}
	return err
}

func ownFolder(name string) (string, error) {
	root, err := runFolder()
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(root, name+"-")
}

// Main is the body of a TestMain: it runs the tests, ends the shared servers that
// they have started, removes their folders, and exits. A package without it leaves
// that to the kernel and the next run.
func Main(m *testing.M) {
	code := m.Run()
	if err := clearAll(); err != nil {
		code = max(code, 1)
		_, _ = os.Stderr.WriteString("servers: " + err.Error() + "\n")
	}
	os.Exit(code)
}
