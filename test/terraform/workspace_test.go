package terraform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/test/terraform/awsschema"
	"github.com/butakero/butakero/test/terraform/awsstub"
)

const (
	needed    = "run: bash scripts/setup.sh terraform"
	schemaEnv = "BUTAKERO_AWS_SCHEMA" // file of the schema that the stand-in serves
)

// The provider's process is this very program.
func TestMain(m *testing.M) {
	if file := os.Getenv(schemaEnv); file != "" && os.Getenv("TF_PLUGIN_MAGIC_COOKIE") != "" {
		if err := serve(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if base.dir != "" {
		_ = os.RemoveAll(base.dir)
	}
	os.Exit(code)
}

func serve(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var schema awsschema.Schema
	if err := json.Unmarshal(content, &schema); err != nil {
		return err
	}
	return awsstub.Serve(&schema)
}

func cache() string {
	if dir := os.Getenv("BUTAKERO_TEST_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "no home directory"
	}
	return filepath.Join(dir, "butakero")
}

// base is the code of the repository, copied and initialised once.
var base struct {
	once      sync.Once
	dir       string
	code      string // terraform/ in it
	terraform string
	env       []string
	err       error
}

// origin is the Terraform code in the repository.
const origin = "../../terraform"

func prepare() error {
	base.terraform = filepath.Join(cache(), "bin", "terraform")
	archive := filepath.Join(cache(), "terraform", "provider-aws-"+awsschema.PackageVersion+".tgz")
	for _, file := range []string{base.terraform, archive} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%s is missing; %s", file, needed)
		}
	}
	schema, err := schemaFile(archive)
	if err != nil {
		return err
	}
	if base.dir, err = os.MkdirTemp("", "butakero-terraform-"); err != nil {
		return err
	}
	base.code = filepath.Join(base.dir, "terraform")
	if err := copyTree(origin, base.code); err != nil {
		return err
	}
	// The state of tests lies beside them.
	override := "terraform {\n  backend \"local\" {}\n}\n"
	if err := os.WriteFile(filepath.Join(base.code, "backend_override.tf"), []byte(override), 0o600); err != nil {
		return err
	}
	if err := mirror(schema); err != nil {
		return err
	}
	_, err = run(base.code, "init", "-input=false", "-no-color")
	return err
}

// mirror puts the stand-in where terraform looks for its providers.
func mirror(schema string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	root := filepath.Join(base.dir, "providers")
	dir := filepath.Join(root, "registry.terraform.io/hashicorp/aws", awsschema.Version, runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	script := "#!/bin/sh\nexec '" + self + "'\n"
	program := filepath.Join(dir, "terraform-provider-aws_v"+awsschema.Version+"_x5")
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		return err
	}
	config := "disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path    = \"" + root + "\"\n    include = [\"hashicorp/aws\"]\n  }\n}\n"
	rc := filepath.Join(base.dir, "terraformrc")
	if err := os.WriteFile(rc, []byte(config), 0o600); err != nil {
		return err
	}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "TF_") && !strings.HasPrefix(pair, "AWS_") {
			base.env = append(base.env, pair)
		}
	}
	base.env = append(base.env, "TF_CLI_CONFIG_FILE="+rc, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", schemaEnv+"="+schema)
	return nil
}

var declared = regexp.MustCompile(`(?m)^(resource|data) "(aws_\w+)"`)

// schemaFile reads the schema of the types that the code uses, and keeps it.
func schemaFile(archive string) (string, error) {
	var resources, data []string
	err := filepath.WalkDir(origin, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".tf" {
			return err
		}
		content, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(content), -1) {
			if m[1] == "data" {
				data = append(data, m[2])
			} else {
				resources = append(resources, m[2])
			}
		}
		return err
	})
	if err != nil {
		return "", err
	}
	slices.Sort(resources)
	slices.Sort(data)
	resources, data = slices.Compact(resources), slices.Compact(data)
	sum := sha256.Sum256(fmt.Append(nil, awsschema.PackageVersion, resources, data, awsschema.Revision))
	file := filepath.Join(cache(), "terraform", "schema-"+hex.EncodeToString(sum[:8])+".json")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	schema, err := awsschema.Extract(archive, resources, data)
	if err != nil {
		return "", err
	}
	content, err := json.Marshal(schema)
	if err != nil {
		return "", err
	}
	part := fmt.Sprintf("%s.%d", file, os.Getpid())
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return "", err
	}
	return file, os.Rename(part, file)
}

// copyTree copies code, and what init made, links as links.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case from == origin && (d.Name() == ".terraform" || d.Name() == ".terraform.lock.hcl"):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o600)
	})
}

// workspace returns a folder with the code, initialised, for one test.
func workspace(t *testing.T) string {
	t.Helper()
	base.once.Do(func() { base.err = prepare() })
	if base.err != nil {
		t.Fatal(base.err)
	}
	dir := filepath.Join(t.TempDir(), "terraform")
	if err := copyTree(base.code, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs terraform in a folder.
func run(dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, base.terraform, args...)
	c.Dir, c.Env = dir, base.env
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return out.String() + errs.String(), fmt.Errorf("terraform %s: %w\n%s%s", strings.Join(args, " "), err, &out, &errs)
	}
	return out.String(), nil
}

func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := run(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// plan plans with a file of variables and returns the plan as JSON.
func plan(t *testing.T, dir string, args ...string) ([]byte, error) {
	t.Helper()
	if out, err := run(dir, append([]string{"plan", "-input=false", "-no-color", "-out=plan"}, args...)...); err != nil {
		return nil, errors.Join(err, errors.New(out))
	}
	out, err := run(dir, "show", "-json", "plan")
	return []byte(out), err
}
