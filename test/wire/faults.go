package wire

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault does something to a request. It tells whether it did: if not, the rule is not
// used up, and the request goes on if it is not answered.
type Fault func(x *Exchange) (acted bool)

// LostAnswer has the server carry the request out, and cuts the connection instead of
// answering: the client can not know.
func LostAnswer() Fault {
	return func(x *Exchange) bool {
		_, _ = x.Do() // lost in any case
		x.Cut()
		return true
	}
}

// LostRequest cuts the connection before the server hears of the request.
func LostRequest() Fault {
	return func(x *Exchange) bool { x.Cut(); return true }
}

// Delay holds the request back for a time, or until the client gives up; such a
// request does not reach the server.
func Delay(d time.Duration) Fault {
	return func(x *Exchange) bool {
		x.take()
		late := time.NewTimer(d)
		defer late.Stop()
		select {
		case <-late.C:
			x.Pass()
		case <-x.Request.Context().Done():
			x.Cut()
		}
		return true
	}
}

// Hang holds requests back until release is closed.
func Hang(release <-chan struct{}) Fault {
	return func(x *Exchange) bool {
		x.take()
		select {
		case <-release:
			x.Pass()
		case <-x.Request.Context().Done():
			x.Cut()
		}
		return true
	}
}

// Truncate sends the first n bytes of the answer's body, and then cuts the connection.
func Truncate(n int) Fault {
	return func(x *Exchange) bool {
		a, err := x.Do()
		if err != nil || len(a.Body) <= n {
			x.Cut()
			return true
		}
		maps.Copy(x.w.Header(), a.Header)
		x.w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
		x.w.WriteHeader(a.Status)
		_, _ = x.w.Write(a.Body[:n]) // cut in any case
		_ = http.NewResponseController(x.w).Flush()
		x.Cut()
		return true
	}
}

// Throttle answers as the service does to one who asks too often, and does nothing
// else: ProvisionedThroughputExceededException of DynamoDB, ThrottlingException of
// SQS, SlowDown of S3.
func Throttle() Fault {
	return func(x *Exchange) bool {
		switch service(x.Request) {
		case "DynamoDB":
			x.Reply(failure(x.Request, http.StatusBadRequest, "ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded."))
		case "SQS":
			x.Reply(failure(x.Request, http.StatusBadRequest, "ThrottlingException", "Rate exceeded"))
		default:
			x.Reply(failure(x.Request, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate."))
		}
		return true
	}
}

// Unavailable answers that the service has an inner error (500) or is away (503, any
// other).
func Unavailable(status int) Fault {
	return func(x *Exchange) bool {
		code := "ServiceUnavailable"
		if status == http.StatusInternalServerError {
			code = map[string]string{"DynamoDB": "InternalServerError", "SQS": "InternalFailure", "S3": "InternalError"}[service(x.Request)]
		}
		x.Reply(failure(x.Request, status, code, "We encountered an internal error. Please try again."))
		return true
	}
}

// Refuse answers with an error of the service, such as 403 AccessDenied or, of SQS,
// 400 OverLimit.
func Refuse(status int, code, message string) Fault {
	return func(x *Exchange) bool { x.Reply(failure(x.Request, status, code, message)); return true }
}

// service is DynamoDB, SQS or S3.
func service(r *http.Request) string {
	switch t := target(r); {
	case strings.HasPrefix(t, "DynamoDB"):
		return "DynamoDB"
	case strings.HasPrefix(t, "AmazonSQS"):
		return "SQS"
	}
	return "S3"
}

// failure is an error in the shape of the request's service.
func failure(r *http.Request, status int, code, message string) *Answer {
	name := map[string]string{"DynamoDB": "com.amazonaws.dynamodb.v20120810#" + code, "SQS": "com.amazonaws.sqs#" + code}[service(r)]
	if name == "" {
		return failureXML(status, code, message)
	}
	body, err := json.Marshal(map[string]string{"__type": name, "message": message})
	if err != nil {
		return &Answer{Status: http.StatusInternalServerError} // strings can always be written
	}
	a := answerJSON(body)
	a.Status = status
	if service(r) == "SQS" { // its older name, which clients are given too
		a.Header.Set("X-Amzn-Query-Error", "AWS.SimpleQueueService."+code+";Sender")
	}
	return a
}

func failureXML(status int, code, message string) *Answer {
	body, err := xml.Marshal(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
		RequestID     string `xml:"RequestId"`
	}{Code: code, Message: message, RequestID: "wire"})
	if err != nil {
		return &Answer{Status: http.StatusInternalServerError} // strings can always be written
	}
	return &Answer{Status: status, Header: http.Header{"Content-Type": {"application/xml"}}, Body: append([]byte(xml.Header), body...)}
}

// answerJSON is an answer of 200 with the checksum that clients of DynamoDB look at.
func answerJSON(body []byte) *Answer {
	return &Answer{Status: http.StatusOK, Body: body, Header: http.Header{
		"Content-Type":     {"application/x-amz-json-1.0"},
		"X-Amzn-Requestid": {"wire"},
		"X-Amz-Crc32":      {fmt.Sprint(crc32.ChecksumIEEE(body))},
	}}
}

// reply encodes and sends an answer of 200.
func (x *Exchange) reply(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		x.Cut() // it came out of JSON: it goes back
	}
	x.Reply(answerJSON(body))
}
