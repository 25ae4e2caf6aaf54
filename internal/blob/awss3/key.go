package awss3

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/pipeline"
)

const (
	hidden     = ".butakero/"
	recordsDir = hidden + "records/"
	probeDir   = hidden + "probe/"
	hiddenEnd  = hidden + "~" // sorts behind everything hidden

	maxKey    = 512  // bytes
	maxObject = 1024 // bytes of an object's name, at S3
)

// checkKey refuses what is no key. The error wraps pipeline.ErrBadKey.
func (s *Store) checkKey(key string) error {
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
	case strings.HasPrefix(key, hidden):
		why = "begins with " + hidden
	default:
		if segment, bad := badSegment(key); bad {
			why = fmt.Sprintf("has the segment %q", segment)
		}
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", pipeline.ErrBadKey, why)
}

func badSegment(key string) (string, bool) {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return segment, true
		}
	}
	return "", false
}

// mayStart reports whether a key can start with prefix.
func mayStart(prefix string) bool {
	if len(prefix) > maxKey || strings.ContainsFunc(prefix, unicode.IsControl) {
		return false
	}
	last := strings.LastIndexByte(prefix, '/')
	if last < 0 {
		return true
	}
	_, bad := badSegment(prefix[:last])
	return !bad
}

// object is the name of a key's object.
func (s *Store) object(key string) string { return s.prefix + key }

func (s *Store) recordObject(upload string) string { return s.prefix + recordsDir + upload + ".json" }
