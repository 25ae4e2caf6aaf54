package app

import (
	"fmt"
	"os"
	"strings"
)

// readEnvFile reads NAME=value lines as Docker Compose and the shell agree on
// them: blank lines and lines that start with # are skipped, "export " is
// allowed, quotes around a value are taken off, and outside quotes " #" begins
// a comment (the original's documented file has one).
func readEnvFile(path string) (map[string]string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("env file: %w", err)
	}
	all := map[string]string{}
	for i, line := range strings.Split(string(raw), "\n") {
		line = strings.TrimSpace(strings.TrimSuffix(line, "\r"))
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t\"'") {
			return nil, fmt.Errorf("env file %s, line %d: not NAME=value", path, i+1)
		}
		all[name] = unquote(strings.TrimSpace(text))
	}
	return all, nil
}

func unquote(text string) string {
	if len(text) > 0 && (text[0] == '"' || text[0] == '\'') {
		if end := strings.IndexByte(text[1:], text[0]); end >= 0 {
			return text[1 : 1+end]
		}
	}
	if i := strings.Index(text, " #"); i >= 0 {
		text = strings.TrimSpace(text[:i])
	}
	return text
}
