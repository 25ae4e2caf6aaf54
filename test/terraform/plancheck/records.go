package plancheck

import (
	"encoding/json"
	"slices"
	"strings"
)

// table compares the attributes that are declared with those that keys use.
func table(r Resource, _ []Resource, report reporter) {
	used := []string{r.text("hash_key"), r.text("range_key")}
	projected := 0
	indexes := append(blocks(r.Values["global_secondary_index"]), blocks(r.Values["local_secondary_index"])...)
	for _, x := range indexes {
		for _, key := range []string{"hash_key", "range_key"} {
			if s, ok := x[key].(string); ok && s != "" {
				used = append(used, s)
			}
		}
		also := texts(x["non_key_attributes"])
		projected += len(also)
		if (x["projection_type"] == "INCLUDE") != (len(also) > 0) {
			report("index %v: non_key_attributes go with INCLUDE and with nothing else", x["name"])
		}
		if len(also) > 20 {
			report("index %v projects %d attributes; 20 are allowed", x["name"], len(also))
		}
	}
	if projected > 100 {
		report("the indexes project %d attributes; 100 are allowed", projected)
	}
	var declared []string
	for _, a := range blocks(r.Values["attribute"]) {
		name, _ := a["name"].(string)
		declared = append(declared, name)
		if !slices.Contains(used, name) {
			report("attribute %s is in no key", name)
		}
	}
	for _, name := range used {
		if !slices.Contains(declared, name) {
			report("key attribute %s is not declared", name)
		}
	}
	for _, block := range []string{"ttl", "point_in_time_recovery"} {
		if b := blocks(r.Values[block]); len(b) != 1 || b[0]["enabled"] != true {
			report("%s is not enabled", block)
		}
	}
}

// queue wants a redrive policy wherever our own consumer reads.
func queue(r Resource, all []Resource, report reporter) {
	tags, _ := r.Values["tags"].(map[string]any)
	if role := tags["Role"]; role == "dead-letters" || role == "events" {
		return
	}
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
		Most   int    `json:"maxReceiveCount"`
	}
	text := r.text("redrive_policy")
	if text == "" {
		report("a queue of jobs without a redrive policy")
		return
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&policy); err != nil {
		report("redrive_policy: %v", err)
		return
	}
	if policy.Most < 10 || policy.Most > 1000 {
		report("maxReceiveCount is %d: below 10 jobs that were handed back a few times would be lost to the queue", policy.Most)
	}
	if !slices.ContainsFunc(of(all, "aws_sqs_queue"), func(q Resource) bool { return q.text("arn") == policy.Target && q.Address != r.Address }) {
		report("redrives to %q, which is no queue of ours", policy.Target)
	}
	if n, _ := r.number("visibility_timeout_seconds"); n < 30 {
		report("visibility_timeout_seconds is %g: messages come back while their jobs run", n)
	}
}

func lifecycle(r Resource, _ []Resource, report reporter) {
	for _, rule := range blocks(r.Values["rule"]) {
		if strings.HasSuffix(r.Address, ".songs") && len(blocks(rule["expiration"])) > 0 {
			report("songs expire by the rule %v", rule["id"])
		}
		if len(blocks(rule["abort_incomplete_multipart_upload"])) == 0 {
			report("rule %v does not abort unfinished uploads", rule["id"])
		}
	}
}

func private(r Resource, _ []Resource, report reporter) {
	for _, name := range []string{"block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"} {
		if r.Values[name] != true {
			report("%s is not set", name)
		}
	}
}

func inState(_ Resource, _ []Resource, report reporter) {
	report("the value of a secret lies in the state")
}
