package localfs

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/pipeline"
)

const (
	hidden     = ".butakero"
	recordsDir = hidden + "/records"
	tempDir    = hidden + "/temp"
	locksDir   = hidden + "/locks"

	maxKey  = 512 // bytes
	maxName = 250 // bytes of a file name that is used as it is; file systems take 255

	// more ends the name of a folder that holds the continuation of a name and
	// not what is below it: "long~+/name" is the segment "longname". That is how
	// segments longer than a file name are kept, and those whose own name would
	// mean something else here.
	more = "~+"
)

// checkKey refuses what is no key. The error wraps pipeline.ErrBadKey.
func checkKey(key string) error {
	why := ""
	switch {
	case key == "":
		why = "empty"
	case len(key) > maxKey:
		why = fmt.Sprintf("longer than %d bytes", maxKey)
	case !utf8.ValidString(key):
		why = "not UTF-8"
	case strings.ContainsFunc(key, unicode.IsControl):
		why = "has a control character"
	default:
		for segment := range strings.SplitSeq(key, "/") {
			if segment == "" || segment == "." || segment == ".." {
				why = fmt.Sprintf("has the segment %q", segment)
			}
		}
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", pipeline.ErrBadKey, why)
}

// place returns the path of a valid key's file below the root.
func place(key string) string {
	var names []string
	for segment := range strings.SplitSeq(key, "/") {
		if names == nil && strings.EqualFold(segment, hidden) {
			names, segment = append(names, segment[:1]+more), segment[1:]
		}
		for len(segment) > maxName {
			cut := maxName - len(more)
			for !utf8.RuneStart(segment[cut]) {
				cut--
			}
			names, segment = append(names, segment[:cut]+more), segment[cut:]
		}
		if strings.HasSuffix(segment, more) {
			last := len(segment) - 1
			names, segment = append(names, segment[:last]+more), segment[last:]
		}
		names = append(names, segment)
	}
	return path.Join(names...)
}

// below returns what the keys of a folder's files start with, given what those
// of its parent start with: the reverse of place.
func below(parent, name string) string {
	if piece, continued := strings.CutSuffix(name, more); continued {
		return parent + piece
	}
	return parent + name + "/"
}
