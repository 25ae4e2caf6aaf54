// Command dcareference reads DCA files with the reference decoder, github.com/jonas747/dca, and prints
// a line for each: frames, playing time, title. It exits with 1 if any file can not be read
// to its end, or if there is none, and with 2 if it is called wrongly.
//
// Usage: dcareference FILE|FOLDER...
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/butakero/butakero/test/reference"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, out, errOut io.Writer) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
		say(errOut, "usage: dcareference FILE|FOLDER...\nReads every file, and every .dca file under a folder, with the reference decoder.\n")
		return 2
	}
	files, failed := find(args, errOut)
	if len(files) == 0 && !failed {
		say(errOut, "no .dca file found\n")
		failed = true
	}
	for _, path := range files {
		result, err := read(path)
		if err != nil {
			say(errOut, "%s: %v\n", path, err)
			failed = true
			continue
		}
		title := ""
		if info := result.Metadata.SongInfo; info != nil {
			title = info.Title
		}
		say(out, "%s: %d frames, %v, %q\n", path, result.Frames, result.Duration(), title)
	}
	if failed {
		return 1
	}
	return 0
}

// find lists the files that args name, folders searched.
func find(args []string, errOut io.Writer) (files []string, failed bool) {
	for _, arg := range args {
		err := filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !entry.IsDir() && (path == arg || filepath.Ext(path) == ".dca") {
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			say(errOut, "%v\n", err)
			failed = true
		}
	}
	return files, failed
}

func read(path string) (result reference.Result, err error) {
	file, err := os.Open(path) // #nosec G304 -- the user names the file
	if err != nil {
		return result, err
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	return reference.Read(file)
}

// say prints to a terminal or pipe; if that is gone, there is nobody to tell.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
