package sqlite

import (
	"context"
	"database/sql"
	"time"
)

// checkpointEvery is how many commands are written between two checkpoints: some
// forty megabytes of log. Pages that change often are copied once each time.
const checkpointEvery = 8000

// checkpointer copies what is in the write-ahead log into the database file, on a
// connection of its own, while the writer goes on writing. What has come in
// meanwhile is little; the writer copies that between two transactions, upon
// which its next one begins the log anew. Left to SQLite, one caller in a while
// would wait for the whole copy.
func (s *Store) checkpointer(ctx context.Context, db *sql.DB) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.writer.checkpoints:
		}
		// Each pass copies what the writer has added during the one before.
		for pass := 0; pass < 3 && ctx.Err() == nil; pass++ {
			timeout, cancel := context.WithTimeout(ctx, time.Minute)
			_, err := db.ExecContext(timeout, "PRAGMA wal_checkpoint(PASSIVE)")
			cancel()
			if err != nil { // busy or full: there will be another one
				break
			}
		}
		select {
		case s.writer.copied <- struct{}{}:
		default:
		}
	}
}

// checkpoint copies the rest. A reader may hold it up; then the log grows on and
// the next checkpoint does it.
func (w *writer) checkpoint() {
	_, _ = w.conn.exec("PRAGMA wal_checkpoint(PASSIVE)")
}
