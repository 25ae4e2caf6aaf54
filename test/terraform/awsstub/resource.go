package awsstub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/butakero/butakero/test/terraform/awsschema"
)

// ValidateResourceTypeConfig implements tfprotov5.ResourceServer: what AWS alone knows
// can not be set.
func (p *provider) ValidateResourceTypeConfig(_ context.Context, in *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	config, err := in.Config.Unmarshal(p.resources[in.TypeName].ValueType())
	if err != nil {
		return nil, err
	}
	out := &tfprotov5.ValidateResourceTypeConfigResponse{}
	block := p.schema.Resources[in.TypeName]
	err = tftypes.Walk(config, func(path *tftypes.AttributePath, v tftypes.Value) (bool, error) {
		if a := attribute(block, path); a != nil && a.Computed && !a.Optional && !v.IsNull() {
			out.Diagnostics = append(out.Diagnostics, &tfprotov5.Diagnostic{
				Severity: tfprotov5.DiagnosticSeverityError, Summary: "Read-only attribute", Detail: last(path) + " is not to be set: AWS decides it.", Attribute: path,
			})
		}
		return true, nil
	})
	return out, err
}

// PlanResourceChange implements tfprotov5.ResourceServer: what nobody has set and AWS
// makes up is unknown in a new resource, and stays in an old one.
func (p *provider) PlanResourceChange(_ context.Context, in *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	kind := p.resources[in.TypeName].ValueType()
	prior, err := in.PriorState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	planned, err := in.ProposedNewState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	if !planned.IsNull() {
		block := p.schema.Resources[in.TypeName]
		planned = p.tagged(planned)
		if prior.IsNull() {
			planned, err = tftypes.Transform(planned, func(path *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
				if a := attribute(block, path); a != nil && a.Computed && v.IsNull() {
					return tftypes.NewValue(v.Type(), tftypes.UnknownValue), nil
				}
				return v, nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	packed, err := tfprotov5.NewDynamicValue(kind, planned)
	return &tfprotov5.PlanResourceChangeResponse{PlannedState: &packed, PlannedPrivate: in.PriorPrivate}, err
}

// tagged sets tags_all: the default tags and, over them, the resource's own.
func (p *provider) tagged(v tftypes.Value) tftypes.Value {
	members := maps.Clone(object(v))
	all, ok := members["tags_all"]
	if !ok {
		return v
	}
	if !members["tags"].IsFullyKnown() {
		members["tags_all"] = tftypes.NewValue(all.Type(), tftypes.UnknownValue)
		return tftypes.NewValue(v.Type(), members)
	}
	merged := map[string]tftypes.Value{}
	maps.Copy(merged, p.tags)
	maps.Copy(merged, object(members["tags"]))
	members["tags_all"] = tftypes.NewValue(all.Type(), merged)
	return tftypes.NewValue(v.Type(), members)
}

// ApplyResourceChange implements tfprotov5.ResourceServer.
func (p *provider) ApplyResourceChange(_ context.Context, in *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	kind := p.resources[in.TypeName].ValueType()
	planned, err := in.PlannedState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	if !planned.IsNull() {
		named := p.naming(in.TypeName, planned)
		planned, err = tftypes.Transform(planned, func(path *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
			if v.IsKnown() {
				return v, nil
			}
			return named.value(last(path), v.Type())
		})
		if err != nil {
			return nil, err
		}
	}
	packed, err := tfprotov5.NewDynamicValue(kind, planned)
	return &tfprotov5.ApplyResourceChangeResponse{NewState: &packed, Private: in.PlannedPrivate}, err
}

// attribute finds what the schema says about a path; nil for blocks, and for what is
// within an attribute.
func attribute(b *awsschema.Block, path *tftypes.AttributePath) *awsschema.Attribute {
	steps := path.Steps()
	for i, step := range steps {
		name, ok := step.(tftypes.AttributeName)
		if !ok {
			continue // an element of a list or set of blocks
		}
		if a := b.Attributes[string(name)]; a != nil {
			if i == len(steps)-1 {
				return a
			}
			return nil
		}
		nested := b.Blocks[string(name)]
		if nested == nil {
			return nil
		}
		b = &nested.Block
	}
	return nil
}

func last(path *tftypes.AttributePath) string {
	name, _ := path.LastStep().(tftypes.AttributeName)
	return string(name)
}

// naming makes up what AWS would call a resource.
type naming struct{ kind, name, id, region string }

func (p *provider) naming(kind string, v tftypes.Value) naming {
	kind = strings.TrimPrefix(kind, "aws_")
	n := naming{kind: kind, region: p.region}
	members := object(v)
	for _, key := range []string{"name", "bucket", "family", "alarm_name", "dashboard_name", "identifier"} {
		if n.name = text(members[key]); n.name != "" {
			break
		}
	}
	sum := sha256.Sum256([]byte(kind + n.name + v.String()))
	n.id = strings.ReplaceAll(kind, "_", "-") + "-" + hex.EncodeToString(sum[:4])
	if n.name == "" {
		n.name = n.id
	}
	return n
}

func (n naming) arn() string {
	at := fmt.Sprintf("%s:%s", n.region, Account)
	switch n.kind {
	case "s3_bucket":
		return "arn:aws:s3:::" + n.name
	case "sqs_queue":
		return "arn:aws:sqs:" + at + ":" + n.name
	case "sns_topic":
		return "arn:aws:sns:" + at + ":" + n.name
	case "dynamodb_table":
		return "arn:aws:dynamodb:" + at + ":table/" + n.name
	case "iam_role":
		return "arn:aws:iam::" + Account + ":role/" + n.name
	case "ecs_cluster":
		return "arn:aws:ecs:" + at + ":cluster/" + n.name
	case "ecs_task_definition":
		return "arn:aws:ecs:" + at + ":task-definition/" + n.name + ":1"
	case "ecr_repository":
		return "arn:aws:ecr:" + at + ":repository/" + n.name
	case "secretsmanager_secret":
		return "arn:aws:secretsmanager:" + at + ":secret:" + n.name + "-AbCdEf"
	case "cloudwatch_log_group":
		return "arn:aws:logs:" + at + ":log-group:" + n.name
	case "lb":
		return "arn:aws:elasticloadbalancing:" + at + ":loadbalancer/app/" + n.name + "/0123456789abcdef"
	case "lb_target_group":
		return "arn:aws:elasticloadbalancing:" + at + ":targetgroup/" + n.name + "/0123456789abcdef"
	}
	return "arn:aws:" + n.kind + ":" + at + ":" + n.name
}

func (n naming) value(attribute string, kind tftypes.Type) (tftypes.Value, error) {
	switch {
	case kind.Is(tftypes.String):
		return tftypes.NewValue(kind, n.text(attribute)), nil
	case kind.Is(tftypes.Number):
		return tftypes.NewValue(kind, 1), nil
	case kind.Is(tftypes.Bool):
		return tftypes.NewValue(kind, false), nil
	case kind.Is(tftypes.Map{}):
		return tftypes.NewValue(kind, map[string]tftypes.Value{}), nil
	case kind.Is(tftypes.List{}), kind.Is(tftypes.Set{}):
		return tftypes.NewValue(kind, []tftypes.Value{}), nil
	}
	return tftypes.Value{}, fmt.Errorf("%s.%s: nothing to make up for %s", n.kind, attribute, kind)
}

func (n naming) text(attribute string) string {
	switch {
	case attribute == "arn" || attribute == "id" && strings.HasPrefix(n.kind, "lb"):
		return n.arn()
	case attribute == "arn_suffix":
		_, suffix, _ := strings.Cut(n.arn(), Account+":")
		return strings.TrimPrefix(suffix, "loadbalancer/")
	case n.kind == "sqs_queue" && (attribute == "url" || attribute == "id"):
		return "https://sqs." + n.region + ".amazonaws.com/" + Account + "/" + n.name
	case attribute == "repository_url":
		return Account + ".dkr.ecr." + n.region + ".amazonaws.com/" + n.name
	case attribute == "dns_name":
		return n.name + "-1234567890." + n.region + ".elb.amazonaws.com"
	case attribute == "public_ip":
		return "198.51.100.1"
	case attribute == "region":
		return n.region
	case attribute == "id" && (n.kind == "iam_role" || n.kind == "ecr_repository" || n.kind == "s3_bucket" || n.kind == "dynamodb_table"):
		return n.name
	case attribute == "id":
		return n.id
	}
	return n.name + "-" + attribute
}
