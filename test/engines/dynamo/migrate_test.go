package dynamo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/dynamo"
)

func client(o dynamo.Options) *dynamodb.Client { return dynamodb.NewFromConfig(*o.Config) }

// table makes one by hand.
func table(t *testing.T, c *dynamodb.Client, name, pk, sk string, due ...types.ScalarAttributeType) {
	t.Helper()
	key := func(name string, kind types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: kind}
	}
	in := &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: &pk, AttributeType: types.ScalarAttributeTypeS}, {AttributeName: &sk, AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{key(pk, types.KeyTypeHash), key(sk, types.KeyTypeRange)},
	}
	for _, kind := range due {
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: aws.String("due_shard"), AttributeType: types.ScalarAttributeTypeS},
			types.AttributeDefinition{AttributeName: aws.String("due_at"), AttributeType: kind})
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: aws.String("due"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
			KeySchema: []types.KeySchemaElement{key("due_shard", types.KeyTypeHash), key("due_at", types.KeyTypeRange)},
		}}
	}
	if _, err := c.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool {
		out, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		return err == nil && out.Table.TableStatus == types.TableStatusActive
	})
}

// indexer adds indexes to tables on paper, where the server does not: it keeps
// what UpdateTable is asked for, and shows it in DescribeTable.
type indexer struct {
	mu      sync.Mutex
	made    map[string][]any // by table
	perCall []int
}

func (x *indexer) Do(r *http.Request) (*http.Response, error) {
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(asked))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation != "UpdateTable" && operation != "DescribeTable" {
		return shared.Do(r)
	}
	var in struct {
		TableName                   string
		GlobalSecondaryIndexUpdates []struct{ Create map[string]any }
	}
	if err := json.Unmarshal(asked, &in); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if operation == "UpdateTable" {
		x.perCall = append(x.perCall, len(in.GlobalSecondaryIndexUpdates))
		for _, u := range in.GlobalSecondaryIndexUpdates {
			u.Create["IndexStatus"] = "ACTIVE"
			x.made[in.TableName] = append(x.made[in.TableName], u.Create)
		}
		return reply(r, map[string]any{"TableDescription": map[string]any{"TableName": in.TableName}})
	}
	answer, err := shared.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK || len(x.made[in.TableName]) == 0 {
		return answer, err
	}
	defer answer.Body.Close() //nolint:errcheck // a test's
	var out map[string]map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return nil, err
	}
	out["Table"]["GlobalSecondaryIndexes"] = x.made[in.TableName]
	return reply(r, out)
}

func reply(r *http.Request, with any) (*http.Response, error) {
	body, err := json.Marshal(with)
	if err != nil {
		return nil, err
	}
	answer := refusal(r, http.StatusOK, "")
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	o := settings(t, nil)
	o.CreateResources = false
	if _, err := dynamo.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "butakero migrate") || !strings.Contains(err.Error(), o.SongsTable) {
		t.Errorf("without tables: %v", err)
	}
	migrate := func() string {
		var lines []string
		if err := dynamo.Migrate(t.Context(), o, func(line string) { lines = append(lines, line) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(lines, "\n")
	}
	if report := migrate(); !strings.Contains(report, o.SongsTable+": made") || !strings.Contains(report, o.OperationsTable+": made") {
		t.Errorf("first run: %s", report)
	}
	if report := migrate(); strings.Contains(report, ": made") || !strings.Contains(report, "as it should be") {
		t.Errorf("second run: %s", report)
	}
	s := open(t, o)
	apply(t.Context(), t, s, jobs.JobCommand{Kind: jobs.JobEnsure, Key: randomKey(), Now: time.Now()})
}

// Tables that the original service made are taken over: their indexes are added,
// and the one that can only be made with a table is done without.
func TestMigrateOriginalTables(t *testing.T) {
	t.Parallel()
	x := &indexer{made: map[string][]any{}}
	o := settings(t, x)
	o.CreateResources = false
	table(t, client(o), o.SongsTable, "PK", "SK")
	table(t, client(o), o.OperationsTable, "PK", "SK")
	if _, err := dynamo.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no index") {
		t.Errorf("without indexes: %v", err)
	}
	var report string
	if err := dynamo.Migrate(t.Context(), o, func(line string) { report += line + "\n" }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(report, "made index due") || !strings.Contains(report, "without the local index open") {
		t.Errorf("report: %s", report)
	}
	if len(x.made[o.SongsTable]) != 8 || len(x.made[o.OperationsTable]) != 2 || slices.Max(x.perCall) != 1 {
		t.Errorf("made %v, %v a call", x.made, x.perCall)
	}
	s := open(t, o)
	key := randomKey()
	var ids []string
	for i := range 5 {
		id := jobs.NewOperationID(key.Song, entropy())
		commands := []jobs.OperationCommand{
			{Kind: jobs.OperationPut, ID: id, Now: time.Now(), Operation: jobs.Operation{ID: id, Key: key}},
		}
		if i%2 == 1 {
			commands = append(commands, jobs.OperationCommand{Kind: jobs.OperationFinish, ID: id, Now: time.Now(), State: jobs.OperationSucceeded})
		} else {
			ids = append(ids, id)
		}
		for _, c := range commands {
			if outs, err := s.ApplyOperations(t.Context(), []jobs.OperationCommand{c}); err != nil || outs[0].Err != nil {
				t.Fatal(outs, err)
			}
		}
	}
	waiting, err := s.OperationsOf(t.Context(), key, jobs.OperationWaiting, "", 10)
	if err != nil || len(waiting) != len(ids) {
		t.Errorf("%d wait, want %d, %v", len(waiting), len(ids), err)
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	o := settings(t, nil)
	table(t, client(o), o.SongsTable, "id", "SK")
	_, err := dynamo.Open(t.Context(), o)
	if !errors.Is(err, dynamo.ErrDrift) || !strings.Contains(err.Error(), "HASH id (S)") || !strings.Contains(err.Error(), "HASH PK (S)") {
		t.Errorf("another key: %v", err)
	}
	o = settings(t, nil)
	table(t, client(o), o.SongsTable, "PK", "SK", types.ScalarAttributeTypeS)
	if err = dynamo.Migrate(t.Context(), o, func(string) {}); !errors.Is(err, dynamo.ErrDrift) || !strings.Contains(err.Error(), "RANGE due_at (S)") {
		t.Errorf("another index: %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	o := settings(t, nil)
	for name, spoil := range map[string]func(*dynamo.Options){
		"no songs": func(o *dynamo.Options) { o.SongsTable = "" }, "no operations": func(o *dynamo.Options) { o.OperationsTable = "" },
		"the same": func(o *dynamo.Options) { o.OperationsTable = o.SongsTable },
		"no region": func(o *dynamo.Options) {
			c := o.Config.Copy()
			c.Region = ""
			o.Config = &c
		},
	} {
		bad := o
		spoil(&bad)
		if _, err := dynamo.Open(t.Context(), bad); err == nil || errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	nobody := o
	c := o.Config.Copy()
	c.BaseEndpoint = aws.String("http://127.0.0.1:1")
	nobody.Config, nobody.Attempts = &c, 2
	if _, err := dynamo.Open(t.Context(), nobody); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
}

// The SDK's own environment is all that is needed.
func TestEnvironment(t *testing.T) {
	o := settings(t, nil)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", *o.Config.BaseEndpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	o.Config, o.Region = nil, "us-east-1"
	s := open(t, o)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	apply(t.Context(), t, s, jobs.JobCommand{Kind: jobs.JobEnsure, Key: randomKey(), Now: time.Now()})
}
