package events

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// OriginalEvent is the envelope of the original system, names and words as its
// consumers know them. The four outer names are capitalised: its code gave them
// no others.
type OriginalEvent struct {
	ID            string         `json:"ID"` // the operation's id
	Content       string         `json:"Content"`
	Status        OriginalStatus `json:"Status"`
	ReceiptHandle string         `json:"ReceiptHandle"` // always empty on the wire
}

// OriginalStatus is how the operation ended; the same members as in the answer
// of GET /api/v1/audio/status.
type OriginalStatus struct {
	ID             string            `json:"id"`
	SK             string            `json:"sk"` // the song's id
	Status         string            `json:"status"`
	Message        string            `json:"message"`
	Metadata       *OriginalMetadata `json:"metadata"`  // null unless success
	FileData       *OriginalFile     `json:"file_data"` // of empty strings unless success
	ProcessingDate time.Time         `json:"processing_date"`
	Success        bool              `json:"success"`
	Attempts       int               `json:"attempts"`
	Failures       int               `json:"failures"`
}

// OriginalMetadata describes the song.
type OriginalMetadata struct {
	ID         string `json:"id"`
	VideoID    string `json:"video_id"`
	Title      string `json:"title"`
	Duration   string `json:"duration"` // ISO 8601
	URLYouTube string `json:"url_youtube"`
	Thumbnail  string `json:"thumbnail"`
	Platform   string `json:"platform"`
}

// OriginalFile describes the file.
type OriginalFile struct {
	FilePath  string `json:"file_path"`
	FileSize  string `json:"file_size"` // text with its unit
	FileType  string `json:"file_type"`
	PublicURL string `json:"public_url"`
}

// Words of the original. A cancelled operation is failed to its consumers: they
// know no third word.
const (
	originalSuccess = "success"
	originalFailed  = "failed"

	contentSuccess = "Procesamiento de audio exitoso"
	contentFailed  = "Procesamiento de audio fallido después de varios intentos"
	messageSuccess = "Procesamiento exitoso"
	messageFailed  = "the operation failed" // when nothing is recorded

	originalFileType = "audio/dca"
)

// OriginalOf makes the original's envelope around an ended operation. It differs
// from what the original sent only where that told something wrong: failures
// counts the failed attempts before a success too, the song's path holds its id,
// and public_url can be opened.
func OriginalOf(e jobs.Event, publicURL string) OriginalEvent {
	o := bounded(e.Operation)
	v := OriginalEvent{ID: o.ID, Status: OriginalStatus{
		ID: o.ID, SK: o.Key.ID, ProcessingDate: instant(o.EndedAt), Attempts: o.Attempts, FileData: &OriginalFile{},
	}}
	s := &v.Status
	if o.State == jobs.OperationSucceeded {
		v.Content = contentSuccess
		s.Status, s.Message, s.Success, s.Failures = originalSuccess, messageSuccess, true, max(0, o.Attempts-1)
		if r := o.Result; r != nil {
			s.Metadata = originalMetadata(o.Key.Song, *r)
			s.FileData = &OriginalFile{
				FilePath: r.Path, FileSize: sizeText(r.Bytes), FileType: originalFileType, PublicURL: fileURL(publicURL, o.Key),
			}
		}
		return v
	}
	v.Content = contentFailed
	s.Status, s.Message, s.Failures = originalFailed, messageFailed, o.Attempts
	if o.Failure != nil && o.Failure.Message != "" {
		s.Message = o.Failure.Message
	}
	return v
}

// Original returns the encoder of the original's envelope, [OriginalOf] in JSON.
// The envelope has no place for an event id: publishers put it into a header or
// message attribute.
func Original(publicURL string) Encode {
	return func(e jobs.Event) ([]byte, string, error) {
		if err := check(e); err != nil {
			return nil, "", err
		}
		body, err := encode(OriginalOf(e, publicURL))
		return body, ContentTypeOriginal, err
	}
}

func originalMetadata(song jobs.Song, f jobs.Result) *OriginalMetadata {
	m := &OriginalMetadata{
		ID: jobs.SongUUID(song), VideoID: song.ID, Title: f.Info.Title, Duration: isoDuration(f.Duration),
		URLYouTube: f.Info.URL, Thumbnail: f.Info.Thumbnail, Platform: platformName(song.Platform),
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

// platformName is a platform as the original writes it: Youtube.
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
	if bytes < 1024 {
		return strconv.FormatInt(bytes, 10) + "B"
	}
	size, units := float64(bytes)/1024, []string{"KB", "MB", "GB"}
	for size >= 1024 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	return fmt.Sprintf("%.2f%s", size, units[0])
}
