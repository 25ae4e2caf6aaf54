package double_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/butakero/butakero/test/double"
)

// A double with one song, which is refused once.
func ExampleNew() {
	d, err := double.New(double.Options{Songs: []double.Song{{ID: "dQw4w9WgXcQ", Title: "A song", Channel: "A band"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = d.Close() }()
	d.Fail("dQw4w9WgXcQ", double.Fault{Kind: double.Limit, Times: 1, RetryAfter: "30"})
	for range 2 {
		call := `{"videoId":"dQw4w9WgXcQ","context":{"client":{"clientName":"VISIONOS"}}}`
		resp, err := http.Post(d.URL+"/youtubei/v1/player", "application/json", bytes.NewBufferString(call))
		if err != nil {
			fmt.Println(err)
			return
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Println(resp.StatusCode, resp.Header.Get("Retry-After"), bytes.Contains(answer, []byte(`"status":"OK"`)), err)
	}
	fmt.Println(d.Count(double.KindPlayer, "dQw4w9WgXcQ"), d.IdentitiesSeen("dQw4w9WgXcQ"))
	// Output:
	// 429 30 false <nil>
	// 200  true <nil>
	// 2 [VISIONOS]
}
