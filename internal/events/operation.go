package events

import (
	"net/url"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Operation is an ended operation as the API shows it. What is not known is
// absent.
type Operation struct {
	ID         string              `json:"id"`
	SongID     string              `json:"song_id"`
	Profile    string              `json:"profile,omitempty"`    // absent: the default one
	Generation int64               `json:"generation,omitempty"` // absent: 1, no replay
	State      jobs.OperationState `json:"state"`
	Requester  string              `json:"requester,omitempty"`
	Title      string              `json:"title,omitempty"`
	Job        *Job                `json:"job,omitempty"` // absent when cancelled: the job may live on
	File       *File               `json:"file,omitempty"`
	CreatedAt  time.Time           `json:"created_at"`
	EndedAt    time.Time           `json:"ended_at"`
}

// Job is the part of a job that concerns those who waited for it.
type Job struct {
	State     jobs.JobState `json:"state"` // done or dead
	Attempt   int           `json:"attempt"`
	LastError *Failure      `json:"last_error,omitempty"`
}

// Failure is why an operation failed.
type Failure struct {
	Class   jobs.Class `json:"class"`
	Code    string     `json:"code"`
	Message string     `json:"message"`
}

// File is a finished song.
type File struct {
	Path       string `json:"path"`
	Bytes      int64  `json:"bytes"`
	SHA256     string `json:"sha256"`
	Frames     int64  `json:"frames"`
	DurationMS int64  `json:"duration_ms"`
	URL        string `json:"url,omitempty"` // absent: no public URL is configured
}

func operationOf(o jobs.Operation, publicURL string) Operation {
	v := Operation{
		ID: o.ID, SongID: o.Key.ID, Profile: shownProfile(o.Key.Profile), Generation: replayed(o), State: o.State,
		Requester: o.Requester, CreatedAt: instant(o.CreatedAt), EndedAt: instant(o.EndedAt),
	}
	switch o.State {
	case jobs.OperationSucceeded:
		v.Job = &Job{State: jobs.JobDone, Attempt: o.Attempts}
		if r := o.Result; r != nil {
			v.Title = r.Info.Title
			v.File = &File{
				Path: r.Path, Bytes: r.Bytes, SHA256: r.SHA256, Frames: r.Frames,
				DurationMS: r.Duration.Milliseconds(), URL: fileURL(publicURL, o.Key),
			}
		}
	case jobs.OperationFailed:
		v.Job = &Job{State: jobs.JobDead, Attempt: o.Attempts}
		if f := o.Failure; f != nil {
			v.Job.LastError = &Failure{Class: f.Class, Code: f.Code, Message: f.Message}
		}
	case jobs.OperationCancelled, jobs.OperationWaiting:
	}
	return v
}

// fileURL is where clients get a song's file, "" without a public URL.
func fileURL(publicURL string, key jobs.Key) string {
	if publicURL == "" {
		return ""
	}
	u := strings.TrimRight(publicURL, "/") + "/api/v1/songs/" + key.ID + "/audio"
	if p := shownProfile(key.Profile); p != "" {
		u += "?profile=" + url.QueryEscape(p)
	}
	return u
}

// shownProfile is the profile's name on the wire: the default one has none.
func shownProfile(p string) string {
	if p == jobs.DefaultProfile {
		return ""
	}
	return p
}
