package link_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/source/link"
)

const v = "dQw4w9WgXcQ"

func ExampleParse() {
	for _, text := range []string{"https://youtu.be/dQw4w9WgXcQ?si=k3", "  AC/DC -  Thunderstruck", "https://www.youtube.com/playlist?list=PL1"} {
		l, err := link.Parse(text)
		switch {
		case err != nil:
			fmt.Println("invalid", jobs.AsError(err).Code)
		case l.Kind == link.KindVideo:
			fmt.Println(l.Kind, l.ID)
		default:
			fmt.Println(l.Kind, l.Query)
		}
	}
	// Output:
	// video dQw4w9WgXcQ
	// query AC/DC - Thunderstruck
	// invalid playlist_only
}

func TestVideoLinks(t *testing.T) {
	t.Parallel()
	accepted := map[string]string{}
	for _, host := range []string{"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com"} {
		for _, scheme := range []string{"https://", "http://", "", "//"} {
			accepted[scheme+host+"/watch?v="+v] = v
		}
	}
	for _, text := range []string{
		"https://youtu.be/V", "http://youtu.be/V", "youtu.be/V", "//youtu.be/V", "https://youtu.be/V?si=abc&t=42", "https://youtu.be/V/",
		"https://youtu.be/V?list=PL123", "https://www.youtube.com/shorts/V", "https://www.youtube.com/shorts/V?feature=share",
		"https://www.youtube.com/live/V", "https://www.youtube.com/live/V?si=k3&t=10s", "https://www.youtube.com/embed/V",
		"https://www.youtube.com/embed/V?start=30", "https://www.youtube.com/embed/V?list=PL123", "https://www.youtube.com/v/V",
		"https://www.youtube.com/v/V?version=3", "https://www.youtube.com/e/V", "https://www.youtube-nocookie.com/embed/V",
		"https://youtube-nocookie.com/embed/V", "https://www.youtube.com/watch?list=PL123&v=V", "https://www.youtube.com/watch?v=V&list=RD123&index=2",
		"https://music.youtube.com/watch?v=V&list=RDAMVM123", "https://www.youtube.com/watch?v=V&t=1m30s",
		"https://www.youtube.com/watch?feature=youtu.be&v=V#t=30", "https://www.youtube.com/watch?app=desktop&v=V&ab_channel=Rick",
		"https://www.youtube.com/watch?v=V&ab_channel=Beyonc\u00e9", "https://www.youtube.com/watch?v=V&pp=ygU%3D", "https://www.youtube.com/watch?v=V&",
		"https://www.youtube.com/watch?v=V&x=100%", "HTTPS://WWW.YOUTUBE.COM/watch?v=V", "https://YouTu.Be/V", "YouTu.Be/V",
		"https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3DV%26feature%3Dshare", "https://www.youtube.com:443/watch?v=V",
		"<https://youtu.be/V>", "< https://youtu.be/V >", " \t https://youtu.be/V \r\n", "\u00a0https://youtu.be/V", "https://www.youtube.com/watch/?v=V",
		"https://www.youtube.com/watch?v=V&v=V",
	} {
		accepted[strings.ReplaceAll(text, "V", v)] = v
	}
	for _, id := range []string{"-kNoLLs_001", "_fRaNtic-02", "youtuWanDer", "dQw4w9WgXcq", "___________", "-----------"} {
		accepted["https://www.youtube.com/watch?v="+id] = id
		accepted["https://youtu.be/"+id] = id
	}
	for text, id := range accepted {
		l, err := link.Parse(text)
		if err != nil || l != (link.Link{Kind: link.KindVideo, ID: id}) {
			t.Errorf("Parse(%q) = %+v, %v; want the video %s", text, l, err, id)
		}
	}
}

func TestRefusedLinks(t *testing.T) {
	t.Parallel()
	refused := map[string][]string{
		link.CodeEmpty:    {"", " ", "\t\r\n", "\u00a0"},
		link.CodePlaylist: {"https://www.youtube.com/playlist?list=PL1", "https://music.youtube.com/playlist?list=OLAK5uy_x", "https://www.youtube.com/watch?list=PL1", "https://www.youtube.com/embed/videoseries?list=PL1", "https://www.youtube-nocookie.com/embed/videoseries?list=PL1", "https://www.youtube.com/v/videoseries/"},
		link.CodeChannel:  {"https://www.youtube.com/@handle", "https://www.youtube.com/@handle/videos", "https://www.youtube.com/channel/UC123", "https://www.youtube.com/c/Name", "https://www.youtube.com/user/name", "https://www.youtube.com/embed/live_stream?channel=UC1"},
		link.CodeTooLong:  {"https://www.youtube.com/watch?v=V&x=" + strings.Repeat("a", 9000), strings.Repeat("a", 9000), strings.Repeat("\u00e9", link.MaxQueryRunes+1)},
		link.CodeInvalidLink: {
			"https://www.youtube.com", "https://www.youtube.com/", "youtube.com", "youtu.be", "www.youtube.com/", "https://www.youtube.com/watch",
			"https://www.youtube.com/watch?t=3", "https://www.youtube.com/watch?v=", "https://www.youtube.com/watch?v=dQw4w9WgXc", "https://www.youtube.com/watch?v=dQw4w9WgXcQQ",
			"https://www.youtube.com/watch?v=dQw4w9WgXc!", "https://www.youtube.com/watch?v=dQw4w9WgXc%00", "https://www.youtube.com/watch?v=V%00", "https://www.youtube.com/watch?v=../../../x",
			"https://www.youtube.com/watch?v=dQw4w9WgXc%20", "https://www.youtube.com/watch?v=%20V", "https://youtu.be/", "https://youtu.be", "https://youtu.be/V+extra", "https://youtu.be/V/extra", "https://youtu.be/shorty",
			"https://www.youtube.com/shorts/", "https://www.youtube.com/shorts/abc", "https://www.youtube.com/shorts/V/x", "https://www.youtube.com/results?search_query=x", "https://www.youtube.com/feed/trending",
			"https://www.youtube.com/clip/UgkxAAAAAAAAAAA", "https://www.youtube.com/post/Ugkx", "https://www.youtube.com/redirect?q=https%3A%2F%2Fyoutu.be%2FV", "https://www.youtube.com/oembed?url=https%3A%2F%2Fyoutu.be%2FV",
			"https://youtube.com@evil.example/watch?v=V", "https://www.youtube.com:pass@evil.example/watch?v=V", "https://user:pass@www.youtube.com/watch?v=V", "https://www.youtube.com%2f@evil.example/watch?v=V", "https://youtu.be:80@127.0.0.1/V", "youtube.com@evil.example/watch?v=V",
			`https:\\www.youtube.com\watch?v=V`, `https://www.youtube.com\@evil.example/watch?v=V`, `https://evil.example\@www.youtube.com/watch?v=V`, `\\www.youtube.com/watch?v=V`,
			"https://www.youtube.com/attribution_link?u=https%3A%2F%2Fevil.example%2Fwatch%3Fv%3DV", "https://www.youtube.com/attribution_link?u=%2F%2Fevil.example%2Fwatch%3Fv%3DV", `https://www.youtube.com/attribution_link?u=%2F%5Cevil.example%2Fwatch%3Fv%3DV`, "https://www.youtube.com/attribution_link?u=%2Fattribution_link%3Fu%3D%252Fwatch%253Fv%253DV", "https://www.youtube.com/attribution_link",
			"javascript:alert(1)", "javascript://www.youtube.com/%0aalert(1)", "file:///etc/passwd", "file:/etc/passwd", "ftp://www.youtube.com/watch?v=V", "data:text/html,x", "gopher://www.youtube.com/V", "vnd.youtube:V", "vnd.youtube://V",
			"https://youtu.be/V\r\nHost: x", "https://youtu.be/V\nx", "https://youtu.be/V\x00", "https://you\x00tu.be/V", "https://youtu.be/V https://youtu.be/V", "https://youtu.be/Vhttps://youtu.be/V", "youtu.be/V youtu.be/V", "play https://youtu.be/V", "listen to youtu.be/V now",
			"https://", "http://", "http:///watch?v=V", "https:/youtu.be/V", "https:youtu.be/V", "https://www.youtube-nocookie.com/watch?v=V", "https://www.youtube.com/watch?v=V&v=AAAAAAAAAAA", "https://www.youtube.com//watch?v=V", "https://www.youtube.com/WATCH?v=V", "https://youtu.be/%64Qw4w9WgXcQ",
			"https://youtu.be/\u200bV", "https://youtu.be/V\u200b", "https://www.youtube.com/watch?v=\xff\xfe",
		},
		link.CodeHost: {
			"https://evil.example/watch?v=V", "evil.example/watch?v=V", "https://youtube.com.evil.example/watch?v=V", "https://notyoutube.com/watch?v=V", "https://evilyoutu.be/V", "https://youtu.be.evil.example/V", "https://youtube.evil.example/watch?v=V", "https://www-youtube.com/watch?v=V",
			"https://evil.example/https://www.youtube.com/watch?v=V", "https://evil.example/?u=https://www.youtube.com/watch?v=V", "https://evil.example#https://www.youtube.com/watch?v=V", "https://evil.example/youtu.be/V", "https://www.google.com/url?q=https://youtu.be/V",
			"https://www.yo\u0443tube.com/watch?v=V", "https://www.youtub\u0435.com/watch?v=V", "https://\uff59\uff4f\uff55\uff54\uff55\uff42\uff45.com/watch?v=V", "https://www.youtube\u3002com/watch?v=V", "https://xn--youtub-4of.com/watch?v=V", "https://www.youtube\u00b7com/watch?v=V", "https://www.you\u200btube.com/watch?v=V", "www.you\u200btube.com/watch?v=V",
			"https://www.youtube-nocoo\u212aie.com/embed/V", "http://127.0.0.1/watch?v=V", "http://127.0.0.1:8080/watch?v=V", "127.0.0.1:8080/watch?v=V", "10.0.0.5", "http://169.254.169.254/latest/meta-data", "http://[::1]/watch?v=V", "[::1]/watch?v=V", "http://localhost/watch?v=V", "localhost:8080/x", "http://2130706433/watch?v=V",
			"http://0x7f.1/watch?v=V", "http://10.0.0.5/watch?v=V", "http://[::ffff:127.0.0.1]/watch?v=V", "http://metadata.google.internal/watch?v=V", "metadata.google.internal", "https://www.youtube.com:8080/watch?v=V", "https://www.youtube.com:/watch?v=V", "https://www.youtube.com./watch?v=V",
			"https://i.ytimg.com/vi/V/hq.jpg", "https://rr1.googlevideo.com/videoplayback?id=V", "https://studio.youtube.com/video/V", "https://open.spotify.com/track/1", "https://vimeo.com/1", "vimeo.com/1", "vimeo.com", "<https://vimeo.com/1>", "evil/https://www.youtube.com/watch?v=V",
		},
		link.CodeInvalidText: {"a\x00b", "bell \a", "\xff\xfe", "esc \x1b[31m"},
	}
	for code, texts := range refused {
		for _, text := range texts {
			text = strings.ReplaceAll(text, "V", v)
			l, err := link.Parse(text)
			var verdict *jobs.Error
			if !errors.As(err, &verdict) {
				t.Errorf("Parse(%q) = %+v, %v; want code %s", text, l, err, code)
				continue
			}
			if verdict.Code != code || verdict.Class != jobs.ClassPermanent || verdict.Message == "" {
				t.Errorf("Parse(%q): %s, %s; want permanent, %s", text, verdict.Class, verdict.Code, code)
			}
		}
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"AC/DC - Thunderstruck": "", "what is youtube.com": "", "-rf --exec id": "", "will.i.am": "", "M.I.A. - Paper Planes": "", "Re:Zero opening": "",
		"Beethoven: Symphony No. 5": "", "R.E.M.": "", "t.A.T.u.": "", "<3": "", "<3>": "", "3:16": "", "dQw4w9WgXcQ": "", "watch": "", "http": "", "\U0001F3B5 canci\u00f3n \u97f3\u697d": "",
		"file under: jazz": "", "javascript: the musical": "", "c:": "", "demo:AAAAAAAAAAA": "", "a.m./p.m.": "", "vs. the world?": "", "$(reboot) `id`; rm -rf": "",
		"  two\t lines\n here ": "two lines here", strings.Repeat("\u00e9", link.MaxQueryRunes): "",
	} {
		if want == "" {
			want = text
		}
		l, err := link.Parse(text)
		if err != nil || l != (link.Link{Kind: link.KindQuery, Query: want}) {
			t.Errorf("Parse(%q) = %+v, %v; want the query %q", text, l, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"https://youtu.be/" + v, "<https://www.youtube.com/watch?list=PL1&v=" + v + ">", "AC/DC - Thunderstruck", "www.youtube.com/attribution_link?u=%2Fwatch%3Fv%3D" + v,
		`https:\\youtu.be\x`, "//youtu.be:443/" + v, "a:b@youtu.be/" + v, "<", "[::1]/", "\x00", "javascript:1", "https://youtu.be/shorts/" + v, ".", "a.", "\u3002",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := link.Parse(text)
		if err != nil {
			var verdict *jobs.Error
			if !errors.As(err, &verdict) || verdict.Class != jobs.ClassPermanent || verdict.Message == "" || l != (link.Link{}) {
				t.Fatalf("Parse(%q) = %+v, %v", text, l, err)
			}
			return
		}
		switch l.Kind {
		case link.KindVideo:
			if !jobs.ValidSongID(l.ID) || l.Query != "" || !strings.Contains(text, l.ID) && !strings.Contains(text, "%") {
				t.Fatalf("Parse(%q) = %+v", text, l)
			}
			if low := strings.ToLower(text); !strings.Contains(low, "youtu") {
				t.Fatalf("Parse(%q) took another host", text)
			}
		case link.KindQuery:
			if l.ID != "" || l.Query == "" || len([]rune(l.Query)) > link.MaxQueryRunes {
				t.Fatalf("Parse(%q) = %+v", text, l)
			}
		default:
			t.Fatalf("Parse(%q) has the kind %q", text, l.Kind)
		}
		again, err := link.Parse(l.Canonical())
		if err != nil || again != l {
			t.Fatalf("Parse(%q) = %+v, but its canonical form is %+v, %v", text, l, again, err)
		}
	})
}
