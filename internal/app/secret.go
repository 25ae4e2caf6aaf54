package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secretTimeout bounds the reading of the secret at start.
const secretTimeout = 20 * time.Second

// readSecret reads settings from AWS Secrets Manager: one JSON object of names and
// values, as the original keeps them. Names that are no settings are left alone.
// No value of it is in an error.
func readSecret(ctx context.Context, name, region string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	config, err := loadAWS(ctx, region)
	if err != nil {
		return nil, err
	}
	answer, err := secretsmanager.NewFromConfig(config).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return nil, fmt.Errorf("read the secret %s: %w", name, err)
	}
	text := aws.ToString(answer.SecretString)
	if text == "" {
		text = string(answer.SecretBinary)
	}
	return parseSecret(name, text)
}

func parseSecret(name, text string) (map[string]string, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		return nil, fmt.Errorf("the secret %s is not a JSON object of names and values", name)
	}
	read := make(map[string]string, len(values))
	for key, v := range values {
		switch v := v.(type) {
		case string:
			read[key] = v
		case json.Number:
			read[key] = v.String()
		case bool:
			read[key] = fmt.Sprint(v)
		case nil:
		default:
			return nil, fmt.Errorf("the secret %s: %s is neither a text, a number nor true or false", name, key)
		}
	}
	return read, nil
}

// loadAWS reads what the SDK wants to know: credentials, endpoints, retries. The
// region may also come from it.
func loadAWS(ctx context.Context, region string) (aws.Config, error) {
	var options []func(*awsconfig.LoadOptions) error
	if region != "" {
		options = append(options, awsconfig.WithRegion(region))
	}
	config, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return config, fmt.Errorf("the AWS settings: %w", err)
	}
	if config.Region == "" {
		return config, errors.New("no AWS region: set AWS_REGION")
	}
	return config, nil
}

// exportAWS hands the SDK's own settings (AWS_…) of an env file on to the SDK,
// which reads the environment alone.
func exportAWS(read map[string]value) error {
	for name, v := range read {
		if !strings.HasPrefix(name, "AWS_") || v.origin == "environment" || os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, v.text); err != nil {
			return err
		}
	}
	return nil
}
