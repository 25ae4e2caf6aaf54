package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// jobFilter is the flags that select jobs.
type jobFilter struct {
	values map[string]*string
}

func (f *jobFilter) flags(cmd *cobra.Command) {
	f.values = map[string]*string{}
	for name, help := range map[string]string{
		"state": "pending, running, retry, done, dead or cancelled", "class": "class of the last error: permanent, transient, throttled …",
		"code": "code of the last error", "host": "host that failed", "stage": "stage in which it failed: fetching or storing",
		"extractor": "way into the source that failed: native or yt-dlp", "requester": "who asked", "song": "song id", "profile": "profile",
		"since": "updated since: a time of RFC 3339, or an age such as 90m or 24h", "until": "updated before: likewise",
		"text": "text in title, requester or message",
	} {
		text := new(string)
		f.values[name] = text
		cmd.Flags().StringVar(text, name, "", help)
	}
}

// read gives the fields that were set; ages become times.
func (f *jobFilter) read() (map[string]string, error) {
	set := map[string]string{}
	for name, text := range f.values {
		if *text == "" {
			continue
		}
		set[name] = *text
		if name != "since" && name != "until" {
			continue
		}
		if age, err := time.ParseDuration(*text); err == nil {
			set[name] = time.Now().Add(-age).UTC().Format(time.RFC3339Nano)
		} else if _, err := time.Parse(time.RFC3339, *text); err != nil {
			return nil, &usageError{fmt.Errorf("--%s %q is neither a time of RFC 3339 nor an age such as 24h", name, *text)}
		}
	}
	return set, nil
}

func (f *jobFilter) query() (url.Values, error) {
	set, err := f.read()
	values := url.Values{}
	for name, text := range set {
		values.Set(name, text)
	}
	return values, err
}

// pages calls each for up to limit jobs of a list (0: all), page by page.
func (c *client) pages(ctx context.Context, path string, values url.Values, limit int, each func(json.RawMessage) error) error {
	for seen := 0; limit == 0 || seen < limit; {
		size := 500
		if limit > 0 {
			size = min(size, limit-seen)
		}
		values.Set("limit", strconv.Itoa(size))
		raw, err := c.call(ctx, http.MethodGet, path+"?"+values.Encode(), nil)
		if err != nil {
			return err
		}
		var page struct {
			Jobs []json.RawMessage `json:"jobs"`
			Next string            `json:"next"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return fmt.Errorf("the server's answer is not a list of jobs: %w", err)
		}
		for _, one := range page.Jobs {
			seen++
			if err := each(one); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		values.Set("cursor", page.Next)
	}
	return nil
}
