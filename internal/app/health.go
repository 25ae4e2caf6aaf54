package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// healthTimeout is for one question; it is shorter than what asks usually allows.
const healthTimeout = 4 * time.Second

// Command is the whole of a server binary with its arguments: none runs the role,
// "health" asks the one that runs here whether it is ready ("health live": whether
// it answers at all), for images that have no shell and no curl, and "version"
// says which one this is. It returns the exit code.
func Command(role Role, release, envFile string, args []string) int {
	switch strings.Join(args, " ") {
	case "":
		return Main(role, envFile, nil)
	case "health", "health ready":
		return health(role, "/readyz", os.Environ(), envFile, os.Stderr)
	case "health live":
		return health(role, "/healthz", os.Environ(), envFile, os.Stderr)
	case "version":
		if release == "" {
			release = "development"
		}
		fmt.Println(release)
		return 0
	}
	fmt.Fprintf(os.Stderr, "butakero: %q is no command: health, health live, version, or nothing to serve\n", args)
	return 2
}

// health asks the process of this role on this machine, and returns 0 when it says
// yes. It reads no setting but the address: a question that is asked every few
// seconds must not ask for secrets each time.
func health(role Role, path string, environ []string, envFile string, stderr io.Writer) int {
	address, err := listenAddress(role, environ, envFile)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
		defer cancel()
		err = ask(ctx, "http://"+address+path)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "butakero:", err)
		return 1
	}
	return 0
}

// listenAddress is where the role can be reached from the same machine.
func listenAddress(role Role, environ []string, envFile string) (string, error) {
	name := "BUTAKERO_LISTEN"
	if !role.API {
		name = "BUTAKERO_WORKER_LISTEN"
	}
	var address string
	for _, s := range settings {
		if s.name == name {
			address = s.preset
		}
	}
	if envFile != "" {
		file, err := readEnvFile(envFile)
		if err != nil {
			return "", err
		}
		if text := file[name]; text != "" {
			address = text
		}
	}
	for _, pair := range environ {
		if n, text, _ := strings.Cut(pair, "="); n == name && text != "" {
			address = text
		}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}

// ask wants a 200. No proxy is asked, and no redirect followed.
func ask(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return fmt.Errorf("%s: %s: %s", url, resp.Status, strings.TrimSpace(string(said)))
	}
	return nil
}
