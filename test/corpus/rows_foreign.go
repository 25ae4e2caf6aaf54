package corpus

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// What rows 4 and 5 name. A test puts its own address and file in their places,
// which are as long as such things are.
const (
	CanaryAddress = "127.0.0.1:00000"
	CanaryFile    = "/CANARY-FILE"
)

// noAudio makes rows 1 to 7: files that are no audio, whatever they are called.
func (b *builder) noAudio(m *material) error {
	r := &rows{builder: b}
	r.bad(1, "empty.webm", "")
	r.bad(1, "one-byte.mp3", "", []byte{0x1a})
	for name, magic := range map[string]string{
		"magic.webm": "\x1a\x45\xdf\xa3", "magic.ogg": "OggS", "magic.m4a": "\x00\x00\x00\x20ftypM4A ", "magic.flac": "fLaC",
		"magic.wav": "RIFF\xff\xff\xff\xffWAVE", "magic.mp3": "\xff\xfb\x90\x00", "magic-id3.mp3": "ID3\x04\x00\x00\x00\x00\x00\x00",
		"magic.aac": "\xff\xf1\x50\x80", "magic.ac3": "\x0b\x77", "magic.aiff": "FORM\x00\x00\x00\x04AIFF",
	} {
		r.bad(1, name, "", []byte(magic))
	}
	r.bad(2, "random.webm", "", noise(64<<10))
	r.bad(2, "random-behind-magic.webm", "webm", []byte("\x1a\x45\xdf\xa3"), noise(64<<10))
	r.bad(2, "random-behind-oggs.ogg", "ogg", []byte("OggS"), noise(64<<10))
	r.bad(2, "zeros.wav", "", make([]byte, 1<<20))
	r.bad(2, "ff.mp3", "", bytes.Repeat([]byte{0xff}, 1<<20))
	r.bad(3, "page.mp3", "", []byte("<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body>Forbidden</body></html>\n"))
	r.bad(3, "answer.webm", "", []byte(`{"error":{"code":429,"message":"Too many requests","status":"RESOURCE_EXHAUSTED"}}`))
	playlists(r)
	r.bad(6, "cover.mp3", "", m.file["cover.png"])
	r.bad(6, "program.webm", "", []byte("\x7fELF\x02\x01\x01"), make([]byte, 9), noise(4096))
	r.bad(6, "document.ogg", "", []byte("%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"))
	dca := append([]byte("DCA1"), 2, 0, 0, 0, '{', '}')
	for _, p := range m.celt20 {
		dca = append(binary.LittleEndian.AppendUint16(dca, uint16(len(p))), p...)
	}
	r.bad(6, "song.dca", "", dca)
	r.bad(7, "song.mp3.gz", "", zipped(m.file["song.mp3"], 1))
	r.bad(7, "bomb.ogg", "", zipped(make([]byte, 1<<20), 200))
	return r.err
}

// playlists make other programs open what they name.
func playlists(r *rows) {
	places := []string{"file://" + CanaryFile, CanaryFile, "http://" + CanaryAddress + "/canary.mp3"}
	for i, place := range places {
		kind := []string{"file-url", "file", "http"}[i]
		hls := "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\n" + place + "\n#EXT-X-ENDLIST\n"
		r.bad(4, kind+".mp3", "", []byte(hls))
		r.bad(4, kind+"-behind-id3.mp3", "", []byte("ID3\x04\x00\x00\x00\x00\x00\x00"), []byte(hls))
		r.bad(5, kind+".ffconcat.mp3", "", []byte("ffconcat version 1.0\nfile '"+place+"'\nduration 10\n"))
		r.bad(5, kind+".pls", "", []byte("[playlist]\nNumberOfEntries=1\nFile1="+place+"\nLength1=-1\nVersion=2\n"))
		r.bad(5, kind+".mpd", "", []byte(`<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S">`+
			`<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="128000"><BaseURL>`+place+
			`</BaseURL></Representation></AdaptationSet></Period></MPD>`))
		r.bad(5, kind+".asx", "", []byte(`<asx version="3.0"><entry><ref href="`+place+`"/></entry></asx>`))
		r.bad(5, kind+".svg", "", []byte(`<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="`+place+`"/></svg>`))
	}
	r.bad(5, "session.sdp", "", fmt.Appendf(nil, "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\na=control:rtsp://%s/\n", CanaryAddress))
}

// noise is always the same.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b) // it can not fail
	return b
}

// zipped is content times over, compressed.
func zipped(content []byte, times int) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for range times {
		_, _ = w.Write(content) // a bytes.Buffer takes everything
	}
	_ = w.Close()
	return packed.Bytes()
}
