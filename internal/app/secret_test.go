package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The original keeps its settings in one secret; explicit settings win over it,
// and what is no setting of ours does no harm.
func TestSecretOfTheOriginal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var asked struct{ SecretID string }
		if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || json.Unmarshal(body, &asked) != nil || !strings.Contains(string(body), `"butakero-prod"`) {
			http.Error(w, `{"__type":"ResourceNotFoundException"}`, http.StatusBadRequest)
			return
		}
		secret, _ := json.Marshal(`{"S3_BUCKET_NAME":"songs","SQS_QUEUE_URL":"http://q/events","SERVICE_MAX_ATTEMPTS":4,"OAUTH2":true,"YOUTUBE_API_KEY":"k-from-secret","AUDIO_PROCESSOR_URL":"http://x","NUM_WORKERS":null,"BUTAKERO_LOG_FORMAT":"text"}`)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = fmt.Fprintf(w, `{"Name":"butakero-prod","SecretString":%s}`, secret)
	}))
	t.Cleanup(server.Close)
	for name, text := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": server.URL, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, text)
	}
	c, err := Load([]string{"AWS_SECRET_NAME=butakero-prod", "AWS_REGION=us-east-1", "BUTAKERO_LOG_FORMAT=json"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.AWS.Bucket != "songs" || c.SQS.EventsQueueURL != "http://q/events" || c.MaxAttempts != 4 || !c.OAuth2 || c.YouTube.APIKey != "k-from-secret" || c.LogFormat != "json" {
		t.Errorf("%+v", c)
	}
	if v := c.values["S3_BUCKET_NAME"]; v.origin != "secret butakero-prod" {
		t.Errorf("origin %q", v.origin)
	}
	if _, err := Load([]string{"AWS_SECRET_NAME=other", "AWS_REGION=us-east-1"}, "", nil); err == nil || !strings.Contains(err.Error(), "AWS_SECRET_NAME: read the secret other") {
		t.Errorf("a missing secret: %v", err)
	}
}

func TestParseSecretTellsNoValue(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`hunter2`, `["hunter2"]`, `{"A":{"b":"hunter2"}}`} {
		if _, err := parseSecret("s", text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
