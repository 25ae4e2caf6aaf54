package servers

import "testing"

// AWS itself is used only where it is asked for, and a queue's URL is the account's.
func TestRealAWS(t *testing.T) {
	if realAddress("sqs") != "" {
		t.Fatal("nobody has asked for AWS")
	}
	t.Setenv(realVariable, "real")
	t.Setenv(accountVariable, "123456789012")
	t.Setenv("AWS_REGION", "eu-south-2")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "example")
	if realAddress("kafka") != "" || realAddress("mongo") != "" {
		t.Error("AWS has neither Kafka nor MongoDB here")
	}
	if got, want := QueueURL(t, SQS(t), "jobs"), "https://sqs.eu-south-2.amazonaws.com/123456789012/jobs"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c := AWS(t, DynamoDB(t))
	key, err := c.Credentials.Retrieve(t.Context())
	if c.Region != "eu-south-2" || c.BaseEndpoint != nil || err != nil || key.AccessKeyID != "AKIAEXAMPLE" {
		t.Errorf("region %s, endpoint %v, key %s, %v", c.Region, c.BaseEndpoint, key.AccessKeyID, err)
	}
	emulator := "http://127.0.0.1:1"
	if c := AWS(t, emulator); c.BaseEndpoint == nil || *c.BaseEndpoint != emulator || QueueURL(t, emulator, "a") != emulator+"/000000000000/a" {
		t.Errorf("the emulator is not used: %+v", c)
	}
}
