package localfs_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

func Example() {
	dir, err := os.MkdirTemp("", "songs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := localfs.New(dir, localfs.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.Close() }()

	ctx, key := context.Background(), "audio/A Title [dQw4w9WgXcQ].dca"
	upload, err := store.Create(ctx, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := upload.Write([]byte("DCA1..."))
	_, before := store.Stat(ctx, key)
	err = errors.Join(err, upload.Commit(ctx, pipeline.BlobMeta{Title: "A Title", Bytes: int64(n)}, false))
	after, statErr := store.Stat(ctx, key)
	fmt.Println(errors.Is(before, jobs.ErrNotFound), err)
	fmt.Println(after.Meta.Title, after.Bytes, statErr)
	// Output:
	// true <nil>
	// A Title 7 <nil>
}
