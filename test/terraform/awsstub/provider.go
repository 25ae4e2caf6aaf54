// Package awsstub stands in for the AWS provider of Terraform where that can not be
// had: a provider with the real one's schema and no AWS behind it. A plan leaves
// unknown what AWS would make up, an apply makes it up, and nothing else is checked:
// allowed values and ranges are for the tests to look at.
package awsstub

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/butakero/butakero/test/terraform/awsschema"
)

// Account is the account that everything belongs to.
const Account = "123456789012"

// Serve is the main function of the provider's process.
func Serve(schema *awsschema.Schema) error {
	p, err := newProvider(schema)
	if err != nil {
		return err
	}
	return tf5server.Serve("registry.terraform.io/hashicorp/aws", func() tfprotov5.ProviderServer { return p }, tf5server.WithoutLogStderrOverride())
}

// provider answers what Terraform asks for these types; what it never asks for them
// (identities, functions, actions) is left to the embedded nil.
type provider struct {
	tfprotov5.ProviderServer
	schema    *awsschema.Schema
	resources map[string]*tfprotov5.Schema
	data      map[string]*tfprotov5.Schema
	region    string
	tags      map[string]tftypes.Value // default_tags
}

func newProvider(schema *awsschema.Schema) (p *provider, err error) {
	p = &provider{schema: schema, resources: map[string]*tfprotov5.Schema{}, data: map[string]*tfprotov5.Schema{}, region: "us-east-1"}
	for name, b := range schema.Resources {
		if p.resources[name], err = convert(b); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, b := range schema.DataSources {
		if p.data[name], err = convert(b); err != nil {
			return nil, fmt.Errorf("data %s: %w", name, err)
		}
	}
	return p, nil
}

// configuration is what a provider block may hold, as far as ours does.
var configuration = &tfprotov5.Schema{Block: &tfprotov5.SchemaBlock{
	Attributes: []*tfprotov5.SchemaAttribute{
		{Name: "region", Type: tftypes.String, Optional: true},
		{Name: "profile", Type: tftypes.String, Optional: true},
		{Name: "allowed_account_ids", Type: tftypes.Set{ElementType: tftypes.String}, Optional: true},
	},
	BlockTypes: []*tfprotov5.SchemaNestedBlock{{
		TypeName: "default_tags", Nesting: tfprotov5.SchemaNestedBlockNestingModeList, MaxItems: 1,
		Block: &tfprotov5.SchemaBlock{Attributes: []*tfprotov5.SchemaAttribute{
			{Name: "tags", Type: tftypes.Map{ElementType: tftypes.String}, Optional: true},
		}},
	}},
}}

func convert(b *awsschema.Block) (*tfprotov5.Schema, error) {
	block, err := convertBlock(b)
	return &tfprotov5.Schema{Block: block}, err
}

func convertBlock(b *awsschema.Block) (*tfprotov5.SchemaBlock, error) {
	block := &tfprotov5.SchemaBlock{}
	for name, a := range b.Attributes {
		kind, err := tftypes.ParseJSONType(a.Type) //nolint:staticcheck // there is no other reader of this notation
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		block.Attributes = append(block.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: kind, Computed: a.Computed, Optional: a.Optional, Required: a.Required,
		})
	}
	for name, n := range b.Blocks {
		inner, err := convertBlock(&n.Block)
		if err != nil {
			return nil, fmt.Errorf("block %s: %w", name, err)
		}
		nested := &tfprotov5.SchemaNestedBlock{TypeName: name, Block: inner, MinItems: int64(n.Min), MaxItems: int64(n.Max)}
		switch n.Nesting {
		case "list":
			nested.Nesting = tfprotov5.SchemaNestedBlockNestingModeList
		case "set":
			nested.Nesting = tfprotov5.SchemaNestedBlockNestingModeSet
		case "single":
			nested.Nesting, nested.MinItems, nested.MaxItems = tfprotov5.SchemaNestedBlockNestingModeSingle, 0, 0
		default:
			return nil, fmt.Errorf("block %s: unknown nesting %q", name, n.Nesting)
		}
		block.BlockTypes = append(block.BlockTypes, nested)
	}
	return block, nil
}

// GetMetadata implements tfprotov5.ProviderServer.
func (p *provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	out := &tfprotov5.GetMetadataResponse{ServerCapabilities: &tfprotov5.ServerCapabilities{}}
	for name := range p.resources {
		out.Resources = append(out.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for name := range p.data {
		out.DataSources = append(out.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return out, nil
}

// GetProviderSchema implements tfprotov5.ProviderServer.
func (p *provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{
		Provider: configuration, ResourceSchemas: p.resources, DataSourceSchemas: p.data, ServerCapabilities: &tfprotov5.ServerCapabilities{},
	}, nil
}

// GetResourceIdentitySchemas implements tfprotov5.ProviderServer.
func (p *provider) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

// PrepareProviderConfig implements tfprotov5.ProviderServer.
func (p *provider) PrepareProviderConfig(_ context.Context, in *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: in.Config}, nil
}

// ConfigureProvider implements tfprotov5.ProviderServer.
func (p *provider) ConfigureProvider(_ context.Context, in *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	config, err := in.Config.Unmarshal(configuration.ValueType())
	if err != nil {
		return nil, err
	}
	if region := text(member(config, "region")); region != "" {
		p.region = region
	}
	for _, block := range list(member(config, "default_tags")) {
		p.tags = object(member(block, "tags"))
	}
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

// StopProvider implements tfprotov5.ProviderServer.
func (p *provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

// ValidateDataSourceConfig implements tfprotov5.DataSourceServer.
func (p *provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

// UpgradeResourceState implements tfprotov5.ResourceServer: there is one version.
func (p *provider) UpgradeResourceState(_ context.Context, in *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	kind := p.resources[in.TypeName].ValueType()
	state, err := in.RawState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	packed, err := tfprotov5.NewDynamicValue(kind, state)
	return &tfprotov5.UpgradeResourceStateResponse{UpgradedState: &packed}, err
}

// ReadResource implements tfprotov5.ResourceServer: AWS is as the state says.
func (p *provider) ReadResource(_ context.Context, in *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return &tfprotov5.ReadResourceResponse{NewState: in.CurrentState, Private: in.Private}, nil
}

// GetFunctions implements tfprotov5.FunctionServer.
func (p *provider) GetFunctions(context.Context, *tfprotov5.GetFunctionsRequest) (*tfprotov5.GetFunctionsResponse, error) {
	return &tfprotov5.GetFunctionsResponse{}, nil
}

// The values of a block by name; zero values where there is nothing known.

func member(v tftypes.Value, name string) tftypes.Value { return object(v)[name] }

func object(v tftypes.Value) (members map[string]tftypes.Value) {
	if v.IsKnown() && !v.IsNull() {
		_ = v.As(&members) // nothing when it is something else
	}
	return members
}

func list(v tftypes.Value) (elements []tftypes.Value) {
	if v.IsKnown() && !v.IsNull() {
		_ = v.As(&elements)
	}
	return elements
}

func text(v tftypes.Value) (s string) {
	if v.IsKnown() && !v.IsNull() {
		_ = v.As(&s)
	}
	return s
}

func texts(v tftypes.Value) (all []string) {
	for _, element := range list(v) {
		all = append(all, text(element))
	}
	return all
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}
