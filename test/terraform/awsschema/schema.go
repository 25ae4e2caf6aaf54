// Package awsschema knows what the AWS provider of Terraform accepts, without the
// provider: it reads that out of the sources of npm's @cdktf/provider-aws, which were
// generated from the provider's own schema. What is not in there is not known here
// either: defaults, allowed values, ranges, and which attributes exclude each other.
package awsschema

import "encoding/json"

// Version is that of the provider the schema comes from.
const Version = "6.25.0"

// Package is the npm package, and PackageVersion the version it is read from.
const (
	Package        = "@cdktf/provider-aws"
	PackageVersion = "21.22.1"
)

// Schema is the part of a provider's schema that somebody asked for, by type.
type Schema struct {
	Resources   map[string]*Block `json:"resources"`
	DataSources map[string]*Block `json:"data_sources"`
}

// Block is what may stand between braces.
type Block struct {
	Attributes map[string]*Attribute `json:"attributes,omitempty"`
	Blocks     map[string]*Nested    `json:"blocks,omitempty"`
}

// Attribute is one name = value. Type is in Terraform's notation: "string",
// ["list","string"], ["list",["object",{…}]].
type Attribute struct {
	Type     json.RawMessage `json:"type"`
	Computed bool            `json:"computed,omitempty"`
	Optional bool            `json:"optional,omitempty"`
	Required bool            `json:"required,omitempty"`
}

// Nested is a block within a block. Nesting is list, set or single; of a list that
// holds one at most Max is 1.
type Nested struct {
	Block
	Nesting string `json:"nesting"`
	Min     int    `json:"min,omitempty"`
	Max     int    `json:"max,omitempty"`
}

// Revision goes up when this package reads the same sources differently.
const Revision = 1
