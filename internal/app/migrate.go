package app

import (
	"context"
	"fmt"
)

// Migrate brings the configured store's tables, collections and indexes to what
// this version needs, saying each step through report. Repeating it changes
// nothing; what is there and differs is refused, never altered. The embedded
// stores migrate by themselves.
func Migrate(ctx context.Context, c *Config, report func(string)) error {
	migrate := migrations[c.Store]
	if migrate == nil {
		report(fmt.Sprintf("the %s store migrates by itself when it is opened", c.Store))
		return nil
	}
	if err := migrate(ctx, c, report); err != nil {
		return fmt.Errorf("migrate the %s store: %w", c.Store, err)
	}
	return nil
}
