package s3

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/butakero/butakero/internal/blob/awss3"
	"github.com/butakero/butakero/test/servers/servers"
)

// endpoint is where the server of this run is.
func endpoint(t testing.TB) (url, key, secret string) {
	t.Helper()
	account := servers.S3(t)
	return account.Endpoint, account.Key, account.Secret
}

// config is the SDK's, for the server of this run. transport stands between the
// adapter and the server; nil: nothing does.
func config(t testing.TB, transport http.RoundTripper) aws.Config {
	t.Helper()
	url, key, secret := endpoint(t)
	if s, yes := transport.(stripped); yes {
		c := config(t, nil)
		c.APIOptions = append(c.APIOptions, s.strip)
		return c
	}
	c := servers.AWS(t, url)
	if c.BaseEndpoint != nil { // not AWS itself
		c.Credentials = credentials.NewStaticCredentialsProvider(key, secret, "")
	}
	if transport != nil {
		c.HTTPClient = &http.Client{Transport: transport}
		impatient(&c)
	}
	return c
}

// raw is a client that passes the adapter by.
func raw(t testing.TB) *s3.Client {
	t.Helper()
	return s3.NewFromConfig(config(t, nil), func(o *s3.Options) { o.UsePathStyle = true })
}

var bucket struct {
	sync.Once
	name string
}

// run is the bucket of this run. It is made by the adapter.
func run(t testing.TB) string {
	t.Helper()
	c := config(t, nil)
	bucket.Do(func() {
		name := "butakero-test-" + strings.ToLower(rand.Text()[:12])
		if _, err := awss3.Open(context.Background(), c, awss3.Options{Bucket: name, CreateResources: true}); err != nil {
			t.Fatal(err)
		}
		bucket.name = name
	})
	if bucket.name == "" {
		t.Fatal("the bucket of this run could not be made")
	}
	return bucket.name
}

// place is a store of one test.
type place struct {
	*awss3.Store
	prefix string
}

// open opens a store below a prefix of its own.
func open(t testing.TB, transport http.RoundTripper) place {
	t.Helper()
	return openAt(t, transport, "test-"+strings.ToLower(rand.Text()[:12])+"/", slog.DiscardHandler)
}

func openAt(t testing.TB, transport http.RoundTripper, prefix string, log slog.Handler) place {
	t.Helper()
	s, err := awss3.Open(t.Context(), config(t, transport), awss3.Options{Bucket: run(t), Prefix: prefix, Log: slog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return place{Store: s, prefix: prefix}
}

// leftovers names unfinished uploads, probes, and records that no file names.
func leftovers(t testing.TB, prefix string) (left []string) {
	t.Helper()
	client, name := raw(t), run(t)
	// MinIO lists the uploads of one key only.
	seen := map[string]bool{}
	for _, key := range []string{prefix, prefix + aKey} {
		uploads, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &name, Prefix: aws.String(key)})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range uploads.Uploads {
			if !seen[*u.UploadId] {
				seen[*u.UploadId] = true
				left = append(left, "upload of "+*u.Key)
			}
		}
	}
	named := map[string]bool{}
	var records []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			hidden, yes := strings.CutPrefix(*o.Key, prefix+".butakero/")
			switch {
			case yes && strings.HasPrefix(hidden, "records/"):
				records = append(records, hidden)
			case yes:
				left = append(left, *o.Key)
			default:
				h, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &name, Key: o.Key})
				if err != nil {
					t.Fatal(err)
				}
				named["records/"+h.Metadata["butakero-record"]+".json"] = true
			}
		}
	}
	for _, r := range records {
		if !named[r] {
			left = append(left, r)
		}
	}
	return left
}

// plant puts an object past the adapter.
func plant(t testing.TB, object string, content []byte, metadata map[string]string) {
	t.Helper()
	_, err := raw(t).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(run(t)), Key: &object, Body: strings.NewReader(string(content)), Metadata: metadata, ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	if err != nil {
		t.Fatal(err)
	}
}
