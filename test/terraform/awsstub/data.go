package awsstub

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// ReadDataSource implements tfprotov5.DataSourceServer.
func (p *provider) ReadDataSource(_ context.Context, in *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	kind := p.data[in.TypeName].ValueType()
	config, err := in.Config.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	block := p.schema.DataSources[in.TypeName]
	answers := map[string]any{"id": in.TypeName}
	switch in.TypeName {
	case "aws_caller_identity":
		answers["account_id"] = Account
		answers["arn"] = "arn:aws:iam::" + Account + ":user/test"
	case "aws_availability_zones":
		answers["names"] = []string{p.region + "a", p.region + "b", p.region + "c"}
	case "aws_iam_policy_document":
		answers["json"] = document(config)
	default:
		return nil, fmt.Errorf("the stub has no answer for the data source %s", in.TypeName)
	}
	members := maps.Clone(object(config))
	for name, a := range block.Attributes {
		if !a.Computed || !members[name].IsNull() {
			continue
		}
		of := members[name].Type()
		switch answer := answers[name].(type) {
		case string:
			members[name] = tftypes.NewValue(of, answer)
		case []string:
			var values []tftypes.Value
			for _, one := range answer {
				values = append(values, tftypes.NewValue(tftypes.String, one))
			}
			members[name] = tftypes.NewValue(of, values)
		default:
			if members[name], err = (naming{kind: in.TypeName, name: name}).value(name, of); err != nil {
				return nil, err
			}
		}
	}
	packed, err := tfprotov5.NewDynamicValue(kind, tftypes.NewValue(kind, members))
	return &tfprotov5.ReadDataSourceResponse{State: &packed}, err
}

// statement is one of a policy, as AWS writes it.
type statement struct {
	Sid       string                         `json:",omitempty"`
	Effect    string                         //nolint:tagliatelle // AWS's names
	Action    []string                       `json:",omitempty"`
	NotAction []string                       `json:",omitempty"`
	Resource  []string                       `json:",omitempty"`
	Principal map[string][]string            `json:",omitempty"`
	Condition map[string]map[string][]string `json:",omitempty"`
}

// document renders a policy.
func document(config tftypes.Value) string {
	var statements []statement
	for _, s := range list(member(config, "statement")) {
		one := statement{
			Sid: text(member(s, "sid")), Effect: text(member(s, "effect")),
			Action: texts(member(s, "actions")), NotAction: texts(member(s, "not_actions")), Resource: texts(member(s, "resources")),
		}
		if one.Effect == "" {
			one.Effect = "Allow"
		}
		slices.Sort(one.Action)
		slices.Sort(one.Resource)
		for _, principal := range list(member(s, "principals")) {
			if one.Principal == nil {
				one.Principal = map[string][]string{}
			}
			one.Principal[text(member(principal, "type"))] = texts(member(principal, "identifiers"))
		}
		for _, c := range list(member(s, "condition")) {
			if one.Condition == nil {
				one.Condition = map[string]map[string][]string{}
			}
			one.Condition[text(member(c, "test"))] = map[string][]string{text(member(c, "variable")): texts(member(c, "values"))}
		}
		statements = append(statements, one)
	}
	return toJSON(map[string]any{"Version": "2012-10-17", "Statement": statements})
}
