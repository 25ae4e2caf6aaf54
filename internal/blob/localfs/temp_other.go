//go:build !linux

package localfs

import (
	"errors"
	"os"
)

func unnamedFilesWork(*os.File) bool { return false }

func openUnnamed(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkUnnamed(*os.File, *os.File, string) error { return errors.ErrUnsupported }
