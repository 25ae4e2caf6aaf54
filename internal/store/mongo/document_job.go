package mongo

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/butakero/butakero/internal/jobs"
)

// encodeJob returns a job's document, without its write id.
func encodeJob(j jobs.Job) bson.Raw {
	f := newFields()
	f.text(fieldID, j.Key.String())
	f.number(fieldSchema, schemaVersion)
	f.text("song", j.Key.ID)
	f.text("state", string(j.State))
	f.number("generation", j.Generation)
	f.number("fence", j.Fence)
	f.text("token", j.Token)
	f.text("owner", j.Owner)
	f.date("lease_until", j.LeaseUntil)
	f.number("attempt", int64(j.Attempt))
	f.number("crashes", int64(j.Crashes))
	f.number("reached", int64(j.Reached))
	f.number("replays", int64(j.Replays))
	f.number("reopen", j.Reopen)
	f.date("run_at", j.RunAt)
	f.date("due_at", j.DueAt)
	f.date("forget_at", j.ForgetAt)
	f.text("stage", string(j.Stage))
	if j.Progress != (jobs.Progress{}) {
		f.inner("progress", func() {
			f.number("done", j.Progress.Done)
			f.number("total", j.Progress.Total)
		})
	}
	f.info(j.Info)
	f.text("requester", j.Requester)
	f.text("trace", j.Trace)
	f.failure("last_error", j.LastError)
	f.list("history", len(j.History), func(i int) { f.failureFields(&j.History[i]) })
	f.result(j.Result)
	f.date("created_at", j.CreatedAt)
	f.date("generation_at", j.GenerationAt)
	f.date("updated_at", j.UpdatedAt)
	f.date("ended_at", j.EndedAt)
	return f.done()
}

// jobFields are the fields that encodeJob may leave out: an update removes those
// that a record no longer has, and no others.
var jobFields = set("token", "owner", "lease_until", "attempt", "crashes", "reached", "replays", "reopen", "run_at", "due_at",
	"forget_at", "stage", "progress", "info", "requester", "trace", "last_error", "history", "result", "ended_at", "fence",
	"created_at", "generation_at", "updated_at")

func set(names ...string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, n := range names {
		all[n] = true
	}
	return all
}

func (f *fields) info(i jobs.SongInfo) {
	if i == (jobs.SongInfo{}) {
		return
	}
	f.inner("info", func() {
		f.text("title", i.Title)
		f.text("artist", i.Artist)
		f.text("url", i.URL)
		f.text("thumbnail", i.Thumbnail)
		f.number("duration_ns", int64(i.Duration))
	})
}

func (f *fields) failure(key string, e *jobs.Failure) {
	if e != nil {
		f.inner(key, func() { f.failureFields(e) })
	}
}

func (f *fields) failureFields(e *jobs.Failure) {
	f.text("class", string(e.Class))
	f.text("code", e.Code)
	f.text("message", e.Message)
	f.text("detail", e.Detail)
	f.text("stage", string(e.Stage))
	f.text("host", e.Host)
	f.text("extractor", e.Extractor)
	f.text("worker", e.Worker)
	f.number("attempt", int64(e.Attempt))
	f.number("generation", e.Generation)
	f.date("at", e.At)
	f.date("retry_at", e.RetryAt)
}

func (f *fields) result(r *jobs.Result) {
	if r == nil {
		return
	}
	f.inner("result", func() {
		f.text("path", r.Path)
		f.number("bytes", r.Bytes)
		f.text("sha256", r.SHA256)
		f.number("frames", r.Frames)
		f.number("duration_ns", int64(r.Duration))
		f.flag("transcoded", r.Transcoded)
		f.info(r.Info)
	})
}

// decodeJob reads a job's document and the id of its last write. A document of
// the original is no job: ErrNotFound.
func decodeJob(doc []byte) (j jobs.Job, write bson.ObjectID, err error) {
	schema, id := int64(0), ""
	err = each(doc, func(key string, v bsoncore.Value) {
		switch key {
		case fieldID:
			id = text(v)
		case fieldSchema:
			schema = number(v)
		case fieldWrite:
			write = writeID(v)
		case "state":
			j.State = jobs.JobState(text(v))
		case "generation":
			j.Generation = number(v)
		case "fence":
			j.Fence = number(v)
		case "token":
			j.Token = text(v)
		case "owner":
			j.Owner = text(v)
		case "lease_until":
			j.LeaseUntil = date(v)
		case "attempt":
			j.Attempt = int(number(v))
		case "crashes":
			j.Crashes = int(number(v))
		case "reached":
			j.Reached = int(number(v))
		case "replays":
			j.Replays = int(number(v))
		case "reopen":
			j.Reopen = number(v)
		case "run_at":
			j.RunAt = date(v)
		case "due_at":
			j.DueAt = date(v)
		case "forget_at":
			j.ForgetAt = date(v)
		case "stage":
			j.Stage = jobs.Stage(text(v))
		case "progress":
			j.Progress = progress(v)
		case "info":
			j.Info = info(v)
		case "requester":
			j.Requester = text(v)
		case "trace":
			j.Trace = text(v)
		case "last_error":
			j.LastError = failure(v)
		case "history":
			j.History = history(v)
		case "result":
			j.Result = result(v)
		case "created_at":
			j.CreatedAt = date(v)
		case "generation_at":
			j.GenerationAt = date(v)
		case "updated_at":
			j.UpdatedAt = date(v)
		case "ended_at":
			j.EndedAt = date(v)
		}
	})
	if err != nil {
		return jobs.Job{}, write, err
	}
	if schema == 0 {
		return jobs.Job{}, write, jobs.ErrNotFound
	}
	if j.Key, err = jobs.ParseKey(id); err != nil {
		return jobs.Job{}, write, err
	}
	return j, write, nil
}

func progress(v bsoncore.Value) (p jobs.Progress) {
	_ = each(v.Data, func(key string, v bsoncore.Value) {
		switch key {
		case "done":
			p.Done = number(v)
		case "total":
			p.Total = number(v)
		}
	})
	return p
}

func info(v bsoncore.Value) (i jobs.SongInfo) {
	_ = each(v.Data, func(key string, v bsoncore.Value) {
		switch key {
		case "title":
			i.Title = text(v)
		case "artist":
			i.Artist = text(v)
		case "url":
			i.URL = text(v)
		case "thumbnail":
			i.Thumbnail = text(v)
		case "duration_ns":
			i.Duration = time.Duration(number(v))
		}
	})
	return i
}

func failure(v bsoncore.Value) *jobs.Failure {
	if v.Type != bsoncore.TypeEmbeddedDocument {
		return nil
	}
	e := &jobs.Failure{}
	_ = each(v.Data, func(key string, v bsoncore.Value) {
		switch key {
		case "class":
			e.Class = jobs.Class(text(v))
		case "code":
			e.Code = text(v)
		case "message":
			e.Message = text(v)
		case "detail":
			e.Detail = text(v)
		case "stage":
			e.Stage = jobs.Stage(text(v))
		case "host":
			e.Host = text(v)
		case "extractor":
			e.Extractor = text(v)
		case "worker":
			e.Worker = text(v)
		case "attempt":
			e.Attempt = int(number(v))
		case "generation":
			e.Generation = number(v)
		case "at":
			e.At = date(v)
		case "retry_at":
			e.RetryAt = date(v)
		}
	})
	return e
}

func history(v bsoncore.Value) (all []jobs.Failure) {
	if v.Type != bsoncore.TypeArray {
		return nil
	}
	_ = each(v.Data, func(_ string, v bsoncore.Value) {
		if e := failure(v); e != nil {
			all = append(all, *e)
		}
	})
	return all
}

func result(v bsoncore.Value) *jobs.Result {
	if v.Type != bsoncore.TypeEmbeddedDocument {
		return nil
	}
	r := &jobs.Result{}
	_ = each(v.Data, func(key string, v bsoncore.Value) {
		switch key {
		case "path":
			r.Path = text(v)
		case "bytes":
			r.Bytes = number(v)
		case "sha256":
			r.SHA256 = text(v)
		case "frames":
			r.Frames = number(v)
		case "duration_ns":
			r.Duration = time.Duration(number(v))
		case "transcoded":
			r.Transcoded = flag(v)
		case "info":
			r.Info = info(v)
		}
	})
	return r
}
