package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// The endpoints of the original system. Names, types and words are its own, down
// to the Spanish ones; its faults (500 for whatever goes wrong, files at URLs
// that nobody can open, songs that share a title sharing a file) are not.

// Words of status.status. A cancelled operation is failed to the original's
// clients: they know no fourth word.
const (
	statusBegun   = "iniciando"
	statusSuccess = "success"
	statusFailed  = "failed"
)

// start is POST /api/v1/audio/start?song=TEXT.
func (h *Handler) start(w *response, r *http.Request) error {
	text, _, err := queryParam(r.URL.RawQuery, "song")
	if err != nil {
		return err
	}
	a, err := h.accept(r, jobs.Request{Text: text})
	if err != nil {
		return err
	}
	header := w.Header()
	header["Content-Type"] = contentJSON
	header["Location"] = []string{"/api/v1/operations/" + a.Operation.ID}
	if a.Repeated {
		header["Idempotency-Replayed"] = []string{"true"}
	}
	// Ids are plain ASCII, so that the busiest answer need not pass an encoder.
	body := make([]byte, 0, 96)
	body = append(body, `{"operation_id":"`...)
	body = append(body, a.Operation.ID...)
	body = append(body, `","song_id":"`...)
	body = append(body, a.Operation.Key.ID...)
	body = append(body, '"', '}', '\n')
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
	return nil
}

// accept checks what start and POST /operations have in common and accepts it.
func (h *Handler) accept(r *http.Request, request jobs.Request) (jobs.Accepted, error) {
	var err error
	if request.Text, err = songText(request.Text); err != nil {
		return jobs.Accepted{}, err
	}
	if request.IdempotencyKey, err = idempotencyKey(r); err != nil {
		return jobs.Accepted{}, err
	}
	request.Trace = traceparent(r)
	return h.Intake.Accept(r.Context(), request)
}

// status is GET /api/v1/audio/status?operation_id=ID&song_id=ID. The song id may
// be left out; one that is not the operation's names nothing.
func (h *Handler) status(w *response, r *http.Request) error {
	p := params{raw: r.URL.RawQuery}
	id, songID := p.text("operation_id"), p.text("song_id")
	if p.err != nil {
		return p.err
	}
	o, j, err := h.operation(r, id)
	if err != nil {
		return err
	}
	if songID != "" && songID != o.Key.ID {
		return errNoOperation
	}
	return writeJSON(w, http.StatusOK, h.viewStatus(r, o, j))
}

// statusAnswer is the original's answer. Its README has two shapes that use the
// name "status" for an object and for a word; the object, which its code
// always sent, stays, and the other members of the failed shape stand beside it.
// Operation is ours.
type statusAnswer struct {
	OperationID string        `json:"operation_id,omitempty"` // failed only
	Status      statusView    `json:"status"`
	Error       string        `json:"error,omitempty"` // failed only
	Code        string        `json:"code,omitempty"`  // failed only
	Operation   operationView `json:"operation"`
}

type statusView struct {
	ID             string        `json:"id"`
	SK             string        `json:"sk"`
	Status         string        `json:"status"`
	Message        string        `json:"message"`
	Metadata       *metadataView `json:"metadata"`
	FileData       *fileDataView `json:"file_data"`
	ProcessingDate string        `json:"processing_date"`
	Success        bool          `json:"success"`
	Attempts       int           `json:"attempts"`
	Failures       int           `json:"failures"`
}

type metadataView struct {
	ID         string `json:"id"`
	VideoID    string `json:"video_id"`
	Title      string `json:"title"`
	Duration   string `json:"duration"` // ISO 8601
	URLYouTube string `json:"url_youtube"`
	Thumbnail  string `json:"thumbnail"`
	Platform   string `json:"platform"`
}

type fileDataView struct {
	FilePath  string `json:"file_path"`
	FileSize  string `json:"file_size"` // text with its unit
	FileType  string `json:"file_type"`
	PublicURL string `json:"public_url"`
}

func (h *Handler) viewStatus(r *http.Request, o jobs.Operation, j *jobs.Job) statusAnswer {
	a := statusAnswer{
		Status:    statusView{ID: o.ID, SK: o.Key.ID, Status: statusBegun},
		Operation: h.viewOperation(r, o, j),
	}
	s := &a.Status
	if !o.EndedAt.IsZero() {
		s.ProcessingDate = o.EndedAt.UTC().Format(time.RFC3339)
	}
	switch o.State {
	case jobs.OperationWaiting:
		if j != nil {
			s.Attempts, s.Failures = j.Attempt, j.Attempt
			if j.State == jobs.JobRunning && j.Attempt > 0 {
				s.Failures-- // the present attempt has not failed
			}
		}
	case jobs.OperationSucceeded:
		s.Status, s.Message, s.Success = statusSuccess, "Procesamiento exitoso", true
		s.Attempts, s.Failures = o.Attempts, max(0, o.Attempts-1)
		if o.Result != nil {
			s.Metadata = viewMetadata(o.Key.Song, *o.Result)
			s.FileData = &fileDataView{
				FilePath: o.Result.Path, FileSize: sizeText(o.Result.Bytes),
				FileType: fileType, PublicURL: h.fileURL(r, o.Key, o.Result.Path),
			}
		}
	case jobs.OperationFailed, jobs.OperationCancelled:
		s.Status, s.Attempts, s.Failures = statusFailed, o.Attempts, o.Attempts
		a.OperationID, a.Error, a.Code = o.ID, "the operation failed", jobs.CodeInternal
		if o.Failure != nil {
			a.Error, a.Code = o.Failure.Message, o.Failure.Code
			if h.Spanish != nil {
				if text := h.Spanish(a.Code); text != "" {
					a.Error = text
				}
			}
		}
		s.Message = a.Error
	}
	return a
}

func viewMetadata(song jobs.Song, f jobs.Result) *metadataView {
	m := &metadataView{
		ID: jobs.SongUUID(song), VideoID: song.ID, Title: f.Info.Title,
		URLYouTube: f.Info.URL, Thumbnail: f.Info.Thumbnail, Platform: platformName(song.Platform),
		Duration: isoDuration(f.Duration),
	}
	if f.Info.Duration > 0 {
		m.Duration = isoDuration(f.Info.Duration)
	}
	if song.Platform == jobs.PlatformYouTube {
		if m.URLYouTube == "" {
			m.URLYouTube = "https://youtube.com/watch?v=" + song.ID
		}
		if m.Thumbnail == "" {
			m.Thumbnail = "https://i.ytimg.com/vi/" + song.ID + "/default.jpg"
		}
	}
	return m
}

// platformName is a platform as the original writes it.
func platformName(p string) string {
	if p == "" {
		return ""
	}
	return strings.ToUpper(p[:1]) + p[1:]
}

// isoDuration is d in whole seconds as ISO 8601 writes it: PT3M21S.
func isoDuration(d time.Duration) string {
	total := int64(d.Round(time.Second) / time.Second)
	if total <= 0 {
		return "PT0S"
	}
	text := "PT"
	for _, part := range []struct {
		n    int64
		unit string
	}{{total / 3600, "H"}, {total / 60 % 60, "M"}, {total % 60, "S"}} {
		if part.n > 0 {
			text += strconv.FormatInt(part.n, 10) + part.unit
		}
	}
	return text
}

// sizeText is a size as the original writes it: binary units under decimal names.
func sizeText(bytes int64) string {
	size, units := float64(bytes), []string{"KB", "MB", "GB"}
	if bytes < 1024 {
		return strconv.FormatInt(bytes, 10) + "B"
	}
	size /= 1024
	for size >= 1024 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	return fmt.Sprintf("%.2f%s", size, units[0])
}
