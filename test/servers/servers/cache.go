package servers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// cacheFolder is where downloaded servers are kept.
func cacheFolder() (string, error) {
	root := os.Getenv("BUTAKERO_TEST_CACHE")
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		root = filepath.Join(user, "butakero")
	}
	root, err := filepath.Abs(filepath.Join(root, "servers"))
	if err != nil {
		return "", err
	}
	return root, os.MkdirAll(root, 0o755)
}

// hash names a recipe: a change of it makes another cache entry.
func hash(recipe string) string {
	sum := sha256.Sum256([]byte(recipe))
	return hex.EncodeToString(sum[:6])
}

// fill returns the folder of a cache entry, and has it built if it is not there. It
// is there whole or not at all: it is built beside its place and then renamed.
func fill(ctx context.Context, entry string, build func(ctx context.Context, stage string) error) (string, error) {
	root, err := cacheFolder()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, entry)
	if _, err := os.Stat(filepath.Join(folder, ".complete")); err == nil {
		return folder, nil
	}
	unlock, err := lock(ctx, folder+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(folder, ".complete")); err == nil {
		return folder, nil // made while we waited
	}
	stage := folder + ".stage"
	for _, old := range []string{stage, folder} { // of one that was killed
		if err := os.RemoveAll(old); err != nil {
			return "", err
		}
	}
	// Registries fail now and then: once more before giving up.
	for attempt := 0; ; attempt++ {
		if err = os.MkdirAll(stage, 0o755); err == nil {
			err = build(ctx, stage)
		}
		if err == nil {
			break
		}
		_ = os.RemoveAll(stage) // the next attempt says what is wrong with it
		if attempt == 1 || ctx.Err() != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(stage, ".complete"), nil, 0o644); err != nil {
		return "", err
	}
	return folder, os.Rename(stage, folder)
}

// lock takes a lock between processes (and within one) and returns what gives it
// back. It ends with the process at the latest.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !tryLock(file) {
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("waiting for %s: %w", path, context.Cause(ctx)), file.Close())
		case <-tick.C:
		}
	}
	return func() { _ = file.Close() }, nil // closing is what unlocks
}

// need makes sure that a program is there, by apt-get if it must and can.
func need(ctx context.Context, program string, packages ...string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	if err := debian(ctx, packages...); err != nil {
		return "", fmt.Errorf("%s is missing: %w", program, err)
	}
	return exec.LookPath(program)
}

// debian installs packages of the system, or says how.
func debian(ctx context.Context, packages ...string) error {
	by := fmt.Sprintf("please install it with your system's package manager (Debian: apt-get install -y%s)", joined(packages))
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New(by)
	}
	var sudo []string
	if os.Geteuid() != 0 {
		if exec.CommandContext(ctx, "sudo", "-n", "true").Run() != nil {
			return errors.New(by)
		}
		sudo = []string{"sudo", "-n"}
	}
	root, err := cacheFolder()
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, filepath.Join(root, "apt.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	apt := func(arguments ...string) error {
		line := append(append(sudo[:len(sudo):len(sudo)], "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120", "-qq"), arguments...)
		return run(ctx, "", nil, line[0], line[1:]...)
	}
	install := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	if apt(install...) == nil { // with the lists that are there: an update is slow
		return nil
	}
	if err := errors.Join(apt("update"), apt(install...)); err != nil {
		return fmt.Errorf("%s: %w", by, err)
	}
	return nil
}

func joined(words []string) string {
	var all string
	for _, w := range words {
		all += " " + w
	}
	return all
}

// run runs a command; its error tells the end of what it said.
func run(ctx context.Context, folder string, env []string, name string, arguments ...string) error {
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, tail(out))
	}
	return nil
}

// tail is the end of an output: enough to see what went wrong.
func tail(out []byte) string {
	out = bytes.TrimSpace(out)
	if len(out) > 1500 {
		out = append([]byte("… "), out[len(out)-1500:]...)
	}
	return string(out)
}
