package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ErrDrift is wrapped by the error that says that a table is not defined as this
// program needs it.
var ErrDrift = errors.New("defined otherwise than this program needs it")

const howToMake = "make it with `butakero migrate`, or start with BUTAKERO_CREATE_RESOURCES=true"

// waitFor bounds how long a table or index may take to be made: an index of a
// large table takes long.
const waitFor = 30 * time.Minute

// check compares the tables with what they should be and changes nothing.
func (s *Store) check(ctx context.Context) error {
	for _, d := range s.options.definitions() {
		table, err := s.describe(ctx, d.name)
		if err != nil {
			return err
		}
		if table == nil {
			return fmt.Errorf("dynamodb: there is no table %s in %s: %s", d.name, s.client.Options().Region, howToMake)
		}
		missing, err := s.compare(d, table)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return fmt.Errorf("dynamodb: table %s has no index %s: %s", d.name, missing[0].name, howToMake)
		}
	}
	return nil
}

func (s *Store) migrate(ctx context.Context, report func(string)) error {
	for _, d := range s.options.definitions() {
		table, err := s.describe(ctx, d.name)
		if err != nil {
			return err
		}
		if table == nil {
			if err := s.create(ctx, d); err != nil {
				return err
			}
			report("table " + d.name + ": made")
		} else {
			missing, err := s.compare(d, table)
			if err != nil {
				return err
			}
			for _, x := range missing {
				if err := s.addIndex(ctx, d, x, table.ProvisionedThroughput); err != nil {
					return err
				}
				report("table " + d.name + ": made index " + x.name)
			}
			if len(missing) == 0 {
				report("table " + d.name + ": as it should be")
			}
			if s.noOpenIndex && d.local != nil {
				report("table " + d.name + ": works without the local index " + indexOpen +
					", which can only be made with a table; the end of a song then reads all of its operations")
			}
		}
		if line := s.expire(ctx, d.name); line != "" {
			report("table " + d.name + ": " + line)
		}
	}
	return nil
}

// describe returns nil for a table that is not there.
func (s *Store) describe(ctx context.Context, name string) (table *types.TableDescription, err error) {
	err = s.call(ctx, "describe table "+name, func(ctx context.Context) error {
		out, err := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		var none *types.ResourceNotFoundException
		if errors.As(err, &none) {
			return nil
		}
		if err == nil {
			table = out.Table
			s.learn(out.ResultMetadata)
		}
		return err
	})
	return table, err
}

// compare returns the global indexes that are missing, or an error that says what
// is not as it should be.
func (s *Store) compare(d definition, table *types.TableDescription) (missing []index, err error) {
	var wrong []string
	differs := func(what, have, want string) {
		if have != want {
			wrong = append(wrong, fmt.Sprintf("%s is %s, needed is %s", what, have, want))
		}
	}
	kinds := map[string]types.ScalarAttributeType{}
	for _, a := range table.AttributeDefinitions {
		kinds[aws.ToString(a.AttributeName)] = a.AttributeType
	}
	differs("its key", keyText(table.KeySchema, kinds), keyText(keySchema(attrPK, attrSK), nil))
	have := map[string]bool{}
	wanted := map[string]index{}
	for _, x := range append(slices.Clone(d.global), d.local...) {
		wanted[x.name] = x
	}
	same := func(name *string, key []types.KeySchemaElement, projection *types.Projection) {
		x, ok := wanted[aws.ToString(name)]
		if !ok {
			return // somebody else's
		}
		have[x.name] = true
		differs("the key of index "+x.name, keyText(key, kinds), keyText(keySchema(x.pk, x.sk), nil))
		if projection.ProjectionType != types.ProjectionTypeAll { // which holds whatever is needed
			differs("the projection of index "+x.name, projectionText(projection), projectionText(x.projection()))
		}
	}
	for _, x := range table.GlobalSecondaryIndexes {
		same(x.IndexName, x.KeySchema, x.Projection)
	}
	for _, x := range table.LocalSecondaryIndexes {
		same(x.IndexName, x.KeySchema, x.Projection)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("dynamodb: table %s is %w: %s; use another name, or make it anew", d.name, ErrDrift, strings.Join(wrong, "; "))
	}
	for _, x := range d.global {
		if !have[x.name] {
			missing = append(missing, x)
		}
	}
	for _, x := range d.local {
		s.noOpenIndex = !have[x.name]
	}
	return missing, nil
}

func keyText(key []types.KeySchemaElement, kinds map[string]types.ScalarAttributeType) string {
	var parts []string
	for _, k := range key {
		name := aws.ToString(k.AttributeName)
		kind, ok := kinds[name]
		if !ok {
			kind = attributeType(name)
		}
		parts = append(parts, fmt.Sprintf("%s %s (%s)", k.KeyType, name, kind))
	}
	return strings.Join(parts, ", ")
}

func projectionText(p *types.Projection) string {
	names := slices.Clone(p.NonKeyAttributes)
	slices.Sort(names)
	return strings.TrimSpace(string(p.ProjectionType) + " " + strings.Join(names, " "))
}

func (s *Store) create(ctx context.Context, d definition) error {
	in := &dynamodb.CreateTableInput{
		TableName: &d.name, KeySchema: keySchema(attrPK, attrSK), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: attributes(append(slices.Clone(d.global), d.local...)...),
	}
	for _, x := range d.global {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(x.name), KeySchema: keySchema(x.pk, x.sk), Projection: x.projection(),
		})
	}
	for _, x := range d.local {
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, types.LocalSecondaryIndex{
			IndexName: aws.String(x.name), KeySchema: keySchema(x.pk, x.sk), Projection: x.projection(),
		})
	}
	err := s.call(ctx, "create table "+d.name, func(ctx context.Context) error {
		_, err := s.client.CreateTable(ctx, in)
		var other *types.ResourceInUseException
		if errors.As(err, &other) { // another process makes it, or an earlier try did
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.ready(ctx, d.name)
}

// addIndex makes one global index: DynamoDB makes one at a time. Where the table
// has a provisioned throughput, the index gets the same.
func (s *Store) addIndex(ctx context.Context, d definition, x index, like *types.ProvisionedThroughputDescription) error {
	var throughput *types.ProvisionedThroughput
	if like != nil && aws.ToInt64(like.WriteCapacityUnits) > 0 {
		throughput = &types.ProvisionedThroughput{ReadCapacityUnits: like.ReadCapacityUnits, WriteCapacityUnits: like.WriteCapacityUnits}
	}
	err := s.call(ctx, "create index "+x.name+" of table "+d.name, func(ctx context.Context) error {
		_, err := s.client.UpdateTable(ctx, &dynamodb.UpdateTableInput{
			TableName: &d.name, AttributeDefinitions: attributes(x),
			GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
				IndexName: aws.String(x.name), KeySchema: keySchema(x.pk, x.sk), Projection: x.projection(), ProvisionedThroughput: throughput,
			}}},
		})
		var other *types.ResourceInUseException
		if errors.As(err, &other) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	table, err := s.describe(ctx, d.name)
	if err != nil {
		return err
	}
	if table == nil || !slices.ContainsFunc(table.GlobalSecondaryIndexes, func(is types.GlobalSecondaryIndexDescription) bool {
		return aws.ToString(is.IndexName) == x.name
	}) {
		return fmt.Errorf("dynamodb: table %s: the server took the request for index %s and made none: make the table anew", d.name, x.name)
	}
	return s.ready(ctx, d.name)
}

// ready waits until a table and all its indexes are active.
func (s *Store) ready(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, waitFor)
	defer cancel()
	for try := 2; ; try++ {
		table, err := s.describe(ctx, name)
		if err != nil {
			return err
		}
		if table != nil && table.TableStatus == types.TableStatusActive && !slices.ContainsFunc(table.GlobalSecondaryIndexes,
			func(x types.GlobalSecondaryIndexDescription) bool { return x.IndexStatus != types.IndexStatusActive }) {
			return nil
		}
		if !pause(ctx, try) {
			return fmt.Errorf("dynamodb: table %s is not ready: %w", name, ctx.Err())
		}
	}
}

// expire sees to it that expired items are deleted, and says what it did or why
// it could not: nothing depends on it but room.
func (s *Store) expire(ctx context.Context, name string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := s.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err == nil {
		if t := out.TimeToLiveDescription; t != nil && t.TimeToLiveStatus != types.TimeToLiveStatusDisabled {
			if have := aws.ToString(t.AttributeName); have != attrTTL {
				return fmt.Sprintf("expires by attribute %s and not by %s: ended operations and notes are kept for ever", have, attrTTL)
			}
			return ""
		}
		enabled := true
		_, err = s.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
			TableName: &name, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(attrTTL), Enabled: &enabled},
		})
		if err == nil {
			return "items expire by attribute " + attrTTL
		}
	}
	return fmt.Sprintf("this server can not delete expired items (or may not be asked to): ended operations and notes are kept for ever: %v", err)
}
