// Command standin takes the place of kubectl and helm in the tests of deploy.sh: it
// writes down how it was called, to the file STANDIN_LOG, and answers as a healthy and
// empty cluster does, unless STANDIN_ANSWERS says otherwise.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() { os.Exit(standIn(filepath.Base(os.Args[0]), os.Args[1:])) }

// standIn returns the exit code.
func standIn(program string, arguments []string) int {
	c := struct {
		Program   string
		Arguments []string
		Input     string
	}{Program: program, Arguments: arguments}
	if slices.ContainsFunc(arguments, func(a string) bool { return strings.HasSuffix(a, "/dev/stdin") || a == "-" }) {
		raw, err := io.ReadAll(os.Stdin)
		if err != nil {
			return 99
		}
		c.Input = string(raw)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return 99
	}
	log, err := os.OpenFile(os.Getenv("STANDIN_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 99
	}
	if _, err := log.Write(append(raw, '\n')); err != nil {
		return 99
	}
	words := strings.Join(arguments, " ")
	for _, rule := range strings.Split(os.Getenv("STANDIN_ANSWERS"), "\n") {
		part, answer, _ := strings.Cut(rule, " => ")
		if part != "" && strings.Contains(program+" "+words, part) {
			text, failed := strings.CutPrefix(answer, "! ")
			if failed {
				fmt.Fprintln(os.Stderr, text)
				return 1
			}
			fmt.Println(strings.ReplaceAll(text, "|", "\n"))
			return 0
		}
	}
	switch {
	case strings.Contains(words, "get --raw /version"):
		fmt.Println("{\n  \"major\": \"1\",\n  \"minor\": \"34\"\n}")
	case program == "helm" && strings.HasPrefix(words, "version"):
		fmt.Print("v3.22.0")
	case program == "helm" && (strings.HasPrefix(words, "status") || strings.HasPrefix(words, "get")):
		return 1 // there is no release
	case strings.Contains(words, "jsonpath={.data.MONGO_USER}"):
		fmt.Print("YWRtaW4tdXNlcg==") // admin-user
	case strings.HasPrefix(words, "get secret") && strings.Contains(words, "jsonpath"):
		fmt.Print("eA==")
	case strings.HasPrefix(words, "get namespace"), strings.HasPrefix(words, "get secret"):
		return 1
	case strings.Contains(words, "--dry-run=client -o yaml"):
		fmt.Println("kind: Secret")
	}
	return 0
}
