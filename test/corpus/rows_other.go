package corpus

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// noAudio are rows 1 to 7.
func (b *builder) noAudio(m *material) error {
	random := make([]byte, 64<<10)
	r := rand.New(rand.NewPCG(3, 5))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	copy(random, "\x17\x2a\x99\x03") // not the beginning of anything
	elf, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		elf = join([]byte("\x7fELF\x02\x01\x01"), random)
	}
	zipped, err := packed(m.file["youtube.webm"], 1)
	if err != nil {
		return err
	}
	bomb, err := packed(make([]byte, 1<<20), 100)
	if err != nil {
		return err
	}
	// What the playlists name is there, and could be played.
	victim := filepath.Join(b.final, "files", "65", "song.mp3")
	const remote = "http://127.0.0.1:9/song.mp3"
	return errors.Join(
		b.putAll(1, "", Err, items{
			"empty.webm": nil, "one-byte.webm": {0x1A}, "magic.webm": elementID(idEBML), "magic.ogg": []byte("OggS"),
			"magic.flac": []byte("fLaC"), "magic.wav": []byte("RIFF\x24\x00\x00\x00WAVE"), "magic.m4a": []byte("\x00\x00\x00\x18ftypM4A "),
			"magic.mp3": []byte("ID3\x04\x00\x00\x00\x00\x00\x00"), "magic.aiff": []byte("FORM\x00\x00\x00\x04AIFF"), "sync.mp3": {0xff, 0xfb, 0x90, 0x00},
		}),
		b.putAll(2, "", Err, items{"random.mp3": random, "zeros.wav": make([]byte, 64<<10), "ones.webm": bytes.Repeat([]byte{0xff}, 64<<10)}),
		b.putAll(3, "", Err, items{
			"page.mp3":  []byte("<!DOCTYPE html>\n<html><head><title>429 Too Many Requests</title></head><body>Sorry.</body></html>\n"),
			"page.webm": []byte(`{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}`),
			"page.xml":  []byte("<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code></Error>"),
		}),
		b.putAll(4, "", Err, items{
			"file.mp3":  []byte("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:12\n#EXTINF:12.0,\nfile://" + victim + "\n#EXT-X-ENDLIST\n"),
			"http.mp3":  []byte("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:12\n#EXTINF:12.0,\n" + remote + "\n#EXT-X-ENDLIST\n"),
			"plain.m3u": []byte("#EXTM3U\n#EXTINF:12,song\n" + victim + "\n"),
		}),
		b.putAll(5, "", Err, items{
			"ffconcat.mp3": []byte("ffconcat version 1.0\nfile '" + victim + "'\n"),
			"song.sdp":     []byte("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=song\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 97\na=rtpmap:97 opus/48000/2\n"),
			"song.pls":     []byte("[playlist]\nNumberOfEntries=1\nFile1=" + remote + "\nTitle1=song\nLength1=12\nVersion=2\n"),
			"song.mpd": []byte(`<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT12S"><Period>` +
				`<AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="128000"><BaseURL>` + remote +
				`</BaseURL></Representation></AdaptationSet></Period></MPD>`),
		}),
		b.putAll(6, "", Err, items{
			"picture.png": m.file["cover.png"], "picture.webm": m.file["cover.png"],
			"jpeg.mp3": join([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01"), random[:2000], []byte("\xff\xd9")),
			"gif.webm": []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"),
			"elf.mp3":  elf[:min(len(elf), 256<<10)],
			"song.pdf": []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"),
			"song.dca": dcaFile(m.celt20),
		}),
		b.putAll(7, "", Err, items{"song.webm.gz": zipped, "bomb.mp3": bomb}),
	)
}

// packed is a text in gzip, so many times over.
func packed(text []byte, times int) ([]byte, error) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	for range times {
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return z.Bytes(), err
}

// dcaFile is what comes out of the pipeline, not what goes in.
func dcaFile(packets [][]byte) []byte {
	const head = `{"dca":{"version":1,"tool":{"name":"corpus","version":"1","url":"","author":""}},` +
		`"opus":{"mode":"audio","sample_rate":48000,"frame_size":1920,"abr":128000,"vbr":true,"channels":2},"extra":{}}`
	b := append(binary.LittleEndian.AppendUint32([]byte("DCA1"), uint32(len(head))), head...)
	for _, p := range packets {
		b = append(binary.LittleEndian.AppendUint16(b, uint16(len(p))), p...)
	}
	return b
}

// otherFormats are rows 13 to 20, 53 and 67: faults of what is transcoded.
func (b *builder) otherFormats(m *material) error {
	half := func(name string) []byte { return m.file[name][:len(m.file[name])/2] }
	box := join([]byte("\x00\x00\x00\x18ftypM4A \x00\x00\x02\x00isomiso2"), []byte("\x00\x00\x00\x01mdat"), bytes.Repeat([]byte{0xff}, 8), make([]byte, 999))
	pcm := make([]byte, 4*48000)
	for i := range pcm {
		pcm[i] = byte(i * i >> 9)
	}
	const second = 4 * 48000
	hours, err := shortened(m.file["hours.flac"], 60)
	if err != nil {
		return err
	}
	flac := m.file["song.flac"]
	cutVorbis := oggPages(m.file["vorbis.ogg"])
	return errors.Join(
		b.putAll(13, "mp4", Err, items{
			"moov-last-cut.m4a": half("moov-last.m4a"), "no-moov.m4a": withoutBox(m.file["moov-last.m4a"], "moov"), "box-2^64.m4a": box,
			"no-mdat.m4a": withoutBox(m.file["faststart.m4a"], "mdat"),
		}),
		b.putAll(14, "mp4", Err, items{"faststart-cut.m4a": half("faststart.m4a"), "faststart-last-100.m4a": m.file["faststart.m4a"][:len(m.file["faststart.m4a"])*9/10]}),
		b.putPackets(15, "mp4", Any, clipFrames, items{"fragmented-cut.m4a": half("fragmented.m4a")}),
		b.putAll(16, "flac", Err, items{"cut.flac": half("song.flac"), "header.flac": flac[:flacHeader(flac)]}),
		b.putAll(17, "wav", Err, items{
			"cut.wav": half("song.wav"), "says-10-holds-1.wav": wave(2, 48000, 10*second, pcm), "empty.wav": wave(2, 48000, 0, nil),
			"0-channels.wav": wave(0, 48000, second, pcm), "0-hz.wav": wave(2, 0, second, pcm),
		}),
		b.putAll(18, "wav", Any, items{
			"length-unknown.wav": wave(2, 48000, 0xffffffff, pcm), "65535-channels.wav": wave(65535, 48000, second, pcm),
			"4-ghz.wav": wave(2, 4_000_000_000, second, pcm),
		}),
		b.putPackets(19, "mp3", Any, clipFrames, items{"xing-cut.mp3": half("song.mp3")}),
		b.putAll(19, "mp3", Any, items{"without-xing-cut.mp3": half("without-xing.mp3")}), // nothing in it tells
		b.putPackets(19, "ogg", Any, clipFrames, items{"vorbis-cut.ogg": half("vorbis.ogg"), "vorbis-at-page.ogg": join(cutVorbis[:len(cutVorbis)/2]...)}),
		b.putAll(20, "mp3", Err, items{"id3-256MiB.mp3": join([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), m.file["without-xing.mp3"])}),
		b.put(Entry{Row: 53, Name: "glued.mp3", Format: "mp3", Want: Any, Duration: 2 * clipLength}, m.file["song.mp3"], m.file["song.mp3"]),
		b.put(Entry{Row: 53, Name: "glued-without-xing.mp3", Format: "mp3", Want: Any, Duration: 2 * clipLength}, m.file["without-xing.mp3"], m.file["without-xing.mp3"]),
		b.put(Entry{Row: 67, Name: "hours.flac", Format: "flac", Want: Any, Duration: time.Minute}, hours),
	)
}

// wave is a WAV file of 16 bits whose header says what it likes.
func wave(channels uint16, rate, length uint32, data []byte) []byte {
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, 36+length)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(channels)*2)
	b = binary.LittleEndian.AppendUint16(b, channels*2)
	b = append(b, 16, 0)
	b = binary.LittleEndian.AppendUint32(append(b, "data"...), length)
	return append(b, data...)
}

// withoutBox takes a box out of the top of an MP4 file.
func withoutBox(file []byte, name string) (kept []byte) {
	for len(file) >= 8 {
		size := min(int(binary.BigEndian.Uint32(file)), len(file))
		if size < 8 {
			return append(kept, file...)
		}
		if string(file[4:8]) != name {
			kept = append(kept, file[:size]...)
		}
		file = file[size:]
	}
	return kept
}

// flacHeader is where the metadata of a FLAC file ends.
func flacHeader(file []byte) int {
	at := 4
	for {
		last := file[at]&0x80 != 0
		at += 4 + int(binary.BigEndian.Uint32(file[at:])&0xffffff)
		if last {
			return at
		}
	}
}

// shortened has the header of a FLAC file say that it lasts so many seconds.
func shortened(file []byte, seconds uint64) ([]byte, error) {
	const at = 18 // 20 bits of rate, 3 of channels, 5 of depth, 36 of samples
	if len(file) < 42 || string(file[:4]) != "fLaC" {
		return nil, errors.New("ffmpeg's FLAC file has no STREAMINFO")
	}
	file = bytes.Clone(file)
	v := binary.BigEndian.Uint64(file[at:])
	rate := v >> 44
	binary.BigEndian.PutUint64(file[at:], v&^(1<<36-1)|rate*seconds)
	return file, nil
}

// fileNames are rows 63 and 64.
func (b *builder) fileNames(m *material) error {
	n := frames(m.celt20)
	opus, ogg := webm{packets: m.celt20}.bytes(), oggFile{packets: m.celt20}.bytes()
	add := func(row int, name, format string, data []byte) error {
		e := Entry{Row: row, Name: name, Format: format, Want: OK, Frames: n, Duration: lasting(n)}
		if format == "mp3" || format == "mp4" {
			e.Want, e.Frames, e.Duration = TranscodeOK, 0, clipLength
		}
		if err := b.put(e, data); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		return nil
	}
	mp3, m4a := m.file["song.mp3"], m.file["moov-last.m4a"]
	return errors.Join(
		add(63, "webm.mp3", "webm", opus), add(63, "mp3.webm", "mp3", mp3), add(63, "ogg.m4a", "ogg", ogg),
		add(63, "m4a.ogg", "mp4", m4a), add(63, "no-extension", "webm", opus), add(63, "webm.dca", "webm", opus),
		add(64, "-i.webm", "webm", opus), add(64, "-y.m4a", "mp4", m4a), add(64, "t-%d.mp3", "mp3", mp3),
		add(64, "concat:x.mp3", "mp3", mp3), add(64, "two  spaces and 'quotes\".webm", "webm", opus), add(64, "$(id).webm", "webm", opus),
		add(64, "`id`;id|id&id.opus", "ogg", ogg), add(64, "line\nbreak.opus", "ogg", ogg), add(64, "ñandú 🎵 песня.opus", "ogg", ogg),
		add(64, "file:x.mp3", "mp3", mp3), add(64, "pipe:0", "webm", opus), add(64, "*?[x].webm", "webm", opus),
	)
}
