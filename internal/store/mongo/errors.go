package mongo

import (
	"context"
	"errors"
	"fmt"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/butakero/butakero/internal/jobs"
)

const duplicateKey = 11000

// failed turns an error of the driver into the store's: nothing is known of
// whether a write was applied.
func failed(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("mongodb: %s: %w: %w", what, ctx.Err(), jobs.ErrUnavailable)
	}
	return fmt.Errorf("mongodb: %s: %w: %w", what, jobs.ErrUnavailable, err)
}

func none(err error) bool { return errors.Is(err, driver.ErrNoDocuments) }
