package dynamo

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

// Attributes of a job by which an index finds it, beside its fields.
const (
	attrDueAt         = "due_at"
	attrDueShard      = "due_shard"      // there as long as due_at is
	attrDesk          = "desk"           // state#shard
	attrTouched       = "touched"        // updated_at and key: the order of the desk's lists
	attrDeskRequester = "desk_requester" // requester#shard
	attrMargin        = "margin"         // of a running job: due_at - lease_until
)

// facets are the attributes of the last error by which jobs are found.
var facets = []string{"err_class", "err_code", "err_host", "err_stage", "err_extractor"}

func facetValues(f *jobs.Failure) []string {
	if f == nil {
		return make([]string, len(facets))
	}
	return []string{string(f.Class), f.Code, f.Host, string(f.Stage), f.Extractor}
}

const jobPrefix = "job#"

func jobKey(k jobs.Key) item { return itemKey(k.Song.String(), jobPrefix+k.Profile) }

// encodeJob returns the whole item.
func encodeJob(j jobs.Job, rev string) item {
	w := whole(jobKey(j.Key))
	w.put(attrVersion, number(schemaVersion))
	w.put(attrRev, text(rev))
	putState(w, j.Key, j.State)
	w.put("generation", number(j.Generation))
	w.put("fence", number(j.Fence))
	w.put("token", text(j.Token))
	w.put("owner", text(j.Owner))
	w.put("lease_until", moment(j.LeaseUntil))
	if j.State == jobs.JobRunning {
		w.put(attrMargin, number(j.DueAt.Sub(j.LeaseUntil)))
	}
	w.put("attempt", number(j.Attempt))
	w.put("crashes", number(j.Crashes))
	w.put("reached", number(j.Reached))
	w.put("replays", number(j.Replays))
	w.put("reopen", count(j.Reopen))
	w.put("run_at", moment(j.RunAt))
	putDue(w, j.Key.String(), j.DueAt)
	w.put("forget_at", moment(j.ForgetAt))
	w.put("stage", text(j.Stage))
	putProgress(w, j.Progress)
	putInfo(w, j.Info)
	putRequester(w, j.Key, j.Requester)
	w.put("trace", text(j.Trace))
	putFailure(w, j.LastError)
	if len(j.History) > 0 {
		list := make([]value, len(j.History))
		for i := range j.History {
			list[i] = encodeFailure(&j.History[i])
		}
		w.put("history", &types.AttributeValueMemberL{Value: list})
	}
	w.put("result", encodeResult(j.Result))
	w.put("created_at", moment(j.CreatedAt))
	w.put("generation_at", moment(j.GenerationAt))
	putUpdated(w, j.Key, j.UpdatedAt)
	w.put("ended_at", moment(j.EndedAt))
	return item(w)
}

func putState(f fields, k jobs.Key, s jobs.JobState) {
	f.put("state", text(s))
	f.put(attrDesk, text(string(s)+"#"+shard(k.String())))
}

func putDue(f fields, id string, at time.Time) {
	f.put(attrDueAt, moment(at))
	if at.IsZero() {
		f.put(attrDueShard, nil)
		return
	}
	f.put(attrDueShard, text(shard(id)))
}

func putUpdated(f fields, k jobs.Key, at time.Time) {
	f.put("updated_at", moment(at))
	f.put(attrTouched, text(sortable(at)+"#"+k.String()))
}

func putRequester(f fields, k jobs.Key, requester string) {
	f.put("requester", text(requester))
	if requester == "" {
		f.put(attrDeskRequester, nil)
		return
	}
	f.put(attrDeskRequester, text(indexable(requester)+"#"+shard(k.String())))
}

func putProgress(f fields, p jobs.Progress) {
	f.put("progress_done", count(p.Done))
	f.put("progress_total", count(p.Total))
}

// putFailure writes the last error and what indexes it.
func putFailure(f fields, failure *jobs.Failure) {
	f.put("last_error", encodeFailure(failure))
	for i, v := range facetValues(failure) {
		f.put(facets[i], text(indexable(v)))
	}
}

// indexable cuts what is longer than the key of an index may be.
func indexable(s string) string { return s[:min(len(s), 1000)] }

func putInfo(f fields, i jobs.SongInfo) {
	f.put("title", text(i.Title))
	f.put("artist", text(i.Artist))
	f.put("url", text(i.URL))
	f.put("thumbnail", text(i.Thumbnail))
	f.put("duration", count(i.Duration))
}

func readInfo(r *reader) jobs.SongInfo {
	return jobs.SongInfo{
		Title: r.text("title"), Artist: r.text("artist"), URL: r.text("url"), Thumbnail: r.text("thumbnail"),
		Duration: time.Duration(r.number("duration")),
	}
}

func encodeFailure(f *jobs.Failure) value {
	if f == nil {
		return nil
	}
	w := whole{}
	w.put("class", text(f.Class))
	w.put("code", text(f.Code))
	w.put("message", text(f.Message))
	w.put("detail", text(f.Detail))
	w.put("stage", text(f.Stage))
	w.put("host", text(f.Host))
	w.put("extractor", text(f.Extractor))
	w.put("worker", text(f.Worker))
	w.put("attempt", count(f.Attempt))
	w.put("generation", count(f.Generation))
	w.put("at", moment(f.At))
	w.put("retry_at", moment(f.RetryAt))
	return &types.AttributeValueMemberM{Value: w}
}

func (r *reader) failure(m item) *jobs.Failure {
	if m == nil {
		return nil
	}
	in := reader{item: m}
	f := jobs.Failure{
		Class: jobs.Class(in.text("class")), Code: in.text("code"), Message: in.text("message"), Detail: in.text("detail"),
		Stage: jobs.Stage(in.text("stage")), Host: in.text("host"), Extractor: in.text("extractor"), Worker: in.text("worker"),
		Attempt: int(in.number("attempt")), Generation: in.number("generation"), At: in.time("at"), RetryAt: in.time("retry_at"),
	}
	r.take(&in)
	return &f
}

func (r *reader) take(in *reader) {
	if r.err == nil {
		r.err = in.err
	}
}

func encodeResult(result *jobs.Result) value {
	if result == nil {
		return nil
	}
	w := whole{}
	w.put("path", text(result.Path))
	w.put("bytes", count(result.Bytes))
	w.put("sha256", text(result.SHA256))
	w.put("frames", count(result.Frames))
	w.put("duration_ns", count(result.Duration))
	w.put("transcoded", &types.AttributeValueMemberBOOL{Value: result.Transcoded})
	putInfo(w, result.Info)
	return &types.AttributeValueMemberM{Value: w}
}

func (r *reader) result(m item) *jobs.Result {
	if m == nil {
		return nil
	}
	in := reader{item: m}
	result := jobs.Result{
		Path: in.text("path"), Bytes: in.number("bytes"), SHA256: in.text("sha256"), Frames: in.number("frames"),
		Duration: time.Duration(in.number("duration_ns")), Transcoded: in.flag("transcoded"), Info: readInfo(&in),
	}
	r.take(&in)
	return &result
}

// decodeJob reads an item; none is the zero Job.
func decodeJob(from item) (jobs.Job, error) {
	if len(from) == 0 {
		return jobs.Job{}, nil
	}
	r := reader{item: from}
	r.version()
	if r.err != nil {
		return jobs.Job{}, r.err
	}
	pk, sk := r.text(attrPK), r.text(attrSK)
	key, err := jobs.ParseKey(pk + ":" + sk[min(len(jobPrefix), len(sk)):])
	if err != nil {
		r.wrong(attrPK + " " + strconv.Quote(pk+" "+sk))
	}
	j := jobs.Job{
		Key: key, State: jobs.JobState(r.text("state")), Generation: r.number("generation"),
		Fence: r.number("fence"), Token: r.text("token"), Owner: r.text("owner"), LeaseUntil: r.time("lease_until"),
		Attempt: int(r.number("attempt")), Crashes: int(r.number("crashes")), Reached: int(r.number("reached")),
		Replays: int(r.number("replays")), Reopen: r.number("reopen"),
		RunAt: r.time("run_at"), DueAt: r.time(attrDueAt), ForgetAt: r.time("forget_at"),
		Stage: jobs.Stage(r.text("stage")), Progress: jobs.Progress{Done: r.number("progress_done"), Total: r.number("progress_total")},
		Info: readInfo(&r), Requester: r.text("requester"), Trace: r.text("trace"),
		LastError: r.failure(r.inner("last_error")), Result: r.result(r.inner("result")),
		CreatedAt: r.time("created_at"), GenerationAt: r.time("generation_at"), UpdatedAt: r.time("updated_at"), EndedAt: r.time("ended_at"),
	}
	if list, ok := from["history"].(*types.AttributeValueMemberL); ok {
		for _, v := range list.Value {
			m, ok := v.(*types.AttributeValueMemberM)
			if !ok {
				r.wrong("history")
				break
			}
			j.History = append(j.History, *r.failure(m.Value))
		}
	}
	return j, r.err
}
