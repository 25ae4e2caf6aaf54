package pipeline

import (
	"fmt"
	"os"
)

// newSpool opens a temporary file that nobody else can open and that is gone
// when it is closed or the process dies, however it dies.
func newSpool(dir string) (*os.File, error) {
	if file, err := openUnnamed(dir); err == nil {
		return file, nil
	}
	// File systems without unnamed files: a name for a moment.
	file, err := os.CreateTemp(dir, "butakero-*.tmp")
	if err != nil {
		return nil, spoolError(fmt.Errorf("spool: %w", err))
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, spoolError(fmt.Errorf("spool: %w", err))
	}
	return file, nil
}
