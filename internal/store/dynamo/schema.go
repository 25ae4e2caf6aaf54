package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The indexes. Global ones lag behind by milliseconds and decide nothing.
const (
	// Both tables: what the reconciler has to look at, by its time. Only what is
	// due at some time is in it. In shards, because every step moves its record.
	indexDue = "due"

	// Songs: the lists of the desk, each by the time of the last update. Those by
	// the last error hold only jobs that have one.
	indexState     = "state"
	indexRequester = "requester"
	indexClass     = "class"
	indexCode      = "code"
	indexHost      = "host"
	indexStage     = "stage"
	indexExtractor = "extractor"

	// Operations: ended ones in the order of their ends.
	indexEnded = "ended"

	// Operations, local and so consistent: those of a song that wait or failed,
	// by state and id. The fan-out's query costs the same however many operations
	// of the song have ended. A local index bounds what a song's operations take
	// in all to 10 GB (some five million, each kept for 30 days after its end), and
	// can only be made with the table.
	indexOpen = "open"
)

// facetIndexes are those of the attributes in facets.
var facetIndexes = []string{indexClass, indexCode, indexHost, indexStage, indexExtractor}

// definition is a table as it should be.
type definition struct {
	name   string
	global []index
	local  []index
}

type index struct {
	name    string
	pk, sk  string
	include []string // nil: keys only
	all     bool
}

func (o Options) definitions() []definition {
	songs := definition{name: o.SongsTable, global: []index{
		{name: indexDue, pk: attrDueShard, sk: attrDueAt},
		{name: indexState, pk: attrDesk, sk: attrTouched, include: append([]string{"state", "requester", "run_at", "generation_at"}, facets...)},
		{name: indexRequester, pk: attrDeskRequester, sk: attrTouched, include: append([]string{"state", "requester"}, facets...)},
	}}
	for i, name := range facetIndexes {
		x := index{name: name, pk: facets[i], sk: attrTouched, include: []string{"state", "requester"}}
		for _, other := range facets {
			if other != facets[i] {
				x.include = append(x.include, other)
			}
		}
		songs.global = append(songs.global, x)
	}
	return []definition{songs, {
		name: o.OperationsTable,
		global: []index{
			{name: indexDue, pk: attrDueShard, sk: attrDueAt, include: []string{"state"}},
			{name: indexEnded, pk: attrEndedShard, sk: attrEnded},
		},
		local: []index{{name: indexOpen, pk: attrPK, sk: attrOpen, all: true}},
	}}
}

func keySchema(pk, sk string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &pk, KeyType: types.KeyTypeHash}, {AttributeName: &sk, KeyType: types.KeyTypeRange},
	}
}

func (x index) projection() *types.Projection {
	switch {
	case x.all:
		return &types.Projection{ProjectionType: types.ProjectionTypeAll}
	case x.include != nil:
		return &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: x.include}
	}
	return &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
}

func attributeType(name string) types.ScalarAttributeType {
	if name == attrDueAt {
		return types.ScalarAttributeTypeN
	}
	return types.ScalarAttributeTypeS
}

// attributes are the key attributes of the given indexes, and of the table
// itself.
func attributes(indexes ...index) (all []types.AttributeDefinition) {
	seen := map[string]bool{}
	for _, x := range append([]index{{pk: attrPK, sk: attrSK}}, indexes...) {
		for _, name := range []string{x.pk, x.sk} {
			if !seen[name] {
				seen[name] = true
				all = append(all, types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: attributeType(name)})
			}
		}
	}
	return all
}
