package corpus

import "fmt"

// encodings are the rows that an encoder makes as they are wanted.
func encodings() []encoding {
	cover := words("-map 0:a -map 1:v -c:v mjpeg -disposition:v attached_pic")
	withCover := []string{"-i", "clip.wav", "-i", "cover.png"}
	picture := words("-f lavfi -i testsrc=s=160x120:r=10:d=12")
	twice := []string{"-i", "clip.wav", "-i", "other.wav"}
	comment := "comment=" + longText("BUTAKERO-CORPUS-COMMENT ", 99_000)
	all := []encoding{
		transcoded(12, "moov-last.m4a", "mp4", words("-c:a aac -b:a 128k -f ipod")...),
		transcoded(14, "faststart.m4a", "mp4", words("-c:a aac -b:a 128k -f ipod -movflags faststart")...),
		transcoded(15, "fragmented.m4a", "mp4", words("-c:a aac -b:a 128k -f mp4 -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 2000000")...),
		transcoded(15, "dash.m4a", "mp4", words("-c:a aac -b:a 128k -f mp4 -movflags dash -frag_duration 2000000")...),
		transcoded(21, "comment.mp3", "mp3", append(words("-c:a libmp3lame -b:a 128k -f mp3 -metadata"), comment)...).
			with(func(e *Entry) { e.Absent = "BUTAKERO-CORPUS-COMMENT" }),
		transcoded(22, "cover.mp3", "mp3", append(cover, words("-c:a libmp3lame -f mp3")...)...).from(withCover...),
		transcoded(22, "cover.m4a", "mp4", append(cover, words("-c:a aac -f ipod")...)...).from(withCover...),
		copied(23, "live.webm", "webm", 20, words(opus20+" -f webm -live 1")...),
		copied(31, "ffmpeg.webm", "webm", 20, words(opus20+" -t 5.007 -f webm")...),
		copied(32, "video.webm", "webm", 20, words("-map 0:a -map 1:v -c:v libvpx -b:v 100k -deadline realtime "+opus20+" -f webm")...).
			from(append([]string{"-i", "clip.wav"}, picture...)...),
		copied(32, "video-first.webm", "webm", 20, words("-map 0:v -map 1:a -c:v libvpx -b:v 100k -deadline realtime "+opus20+" -f webm")...).
			from(append(picture, "-i", "clip.wav")...),
		copied(33, "two-opus.webm", "webm", 20, words("-map 0:a -map 1:a "+opus20+" -f webm")...).from(twice...),
		copied(33, "vorbis-and-opus.webm", "webm", 0, words("-map 0:a -map 1:a -c:a:0 libvorbis -c:a:1 libopus -f webm")...).from(twice...).
			with(func(e *Entry) { e.Want, e.Duration = Any, clipLength }),
		transcoded(33, "two-aac.m4a", "mp4", words("-map 0:a -map 1:a -c:a aac -f ipod")...).from(twice...),
		copied(47, "mono.webm", "webm", 20, words("-ac 1 -c:a libopus -b:a 64k -f webm")...),
		copied(47, "mono.opus", "ogg", 20, words("-ac 1 -c:a libopus -b:a 64k -f ogg")...),
		copied(47, "8khz.webm", "webm", 20, words("-ar 8000 -c:a libopus -b:a 64k -f webm")...),
		copied(47, "510k.webm", "webm", 20, words("-c:a libopus -b:a 510k "+youtube)...),
		copied(47, "510k.opus", "ogg", 20, words("-c:a libopus -b:a 510k -f ogg")...),
		copied(47, "cbr.opus", "ogg", 20, words("-c:a libopus -b:a 96k -vbr off -f ogg")...),
		copied(47, "voip.opus", "ogg", 20, words("-ac 1 -c:a libopus -application voip -b:a 16k -f ogg")...),
		copied(47, "voip.webm", "webm", 20, words("-ac 1 -c:a libopus -application voip -b:a 16k -f webm")...),
		copied(47, "silence.webm", "webm", 20, words(opus20+" -f webm")...).from(words("-f lavfi -t 12 -i anullsrc=r=48000:cl=stereo")...),
		copied(47, "10ms.webm", "webm", 20, words("-t 0.01 "+opus20+" -f webm")...),
		copied(47, "10ms.opus", "ogg", 20, words("-t 0.01 "+opus20+" -f ogg")...),
		transcoded(48, "5.1.webm", "webm", words("-ac 6 -c:a libopus -b:a 256k -f webm")...),
		transcoded(48, "5.1.opus", "ogg", words("-ac 6 -c:a libopus -b:a 256k -f ogg")...),
		transcoded(48, "5.1.m4a", "mp4", words("-ac 6 -c:a aac -f ipod")...),
		copied(51, "starts-at-1h.webm", "webm", 20, words(opus20+" -output_ts_offset 3600 -f webm")...),
		copied(62, "end-trim.opus", "ogg", 20, words(opus20+" -t 5.003 -f ogg")...),
	}
	for _, rate := range []string{"128k", "160k"} {
		all = append(all, copied(31, "youtube-"+rate+".webm", "webm", 20, words("-c:a libopus -b:a "+rate+" "+youtube)...))
	}
	for _, container := range []string{"webm", "matroska", "ogg"} {
		format := map[string]string{"matroska": "webm"}[container]
		if format == "" {
			format = container
		}
		for _, ms := range []float64{2.5, 5, 10, 40, 60, 80, 100, 120} {
			if container == "matroska" && ms != 60 {
				continue
			}
			row := 37
			if ms > 20 {
				row = 38
			}
			all = append(all, copied(row, fmt.Sprintf("%vms.%s", ms, container), format, ms,
				words(fmt.Sprintf("-c:a libopus -b:a 128k -application lowdelay -frame_duration %v -f %s", ms, container))...))
		}
	}
	for _, ms := range []string{"40", "60"} {
		for _, container := range []string{"webm", "ogg"} {
			all = append(all, transcoded(39, "silk-"+ms+"ms."+container, container,
				words("-ac 1 -c:a libopus -application voip -b:a 12k -frame_duration "+ms+" -f "+container)...))
		}
	}
	return all
}

// strangeEncodings are the formats that songs seldom come in, and opusenc's files.
func strangeEncodings() []encoding {
	all := []encoding{
		transcoded(65, "192khz.flac", "flac", words("-ar 192000 -t 5 -f flac")...).with(func(e *Entry) { e.Duration = shortLength }),
		transcoded(65, "8bit-8khz.wav", "wav", words("-ar 8000 -ac 1 -c:a pcm_u8 -f wav")...),
		transcoded(65, "float.wav", "wav", words("-c:a pcm_f32le -f wav")...),
		transcoded(65, "24bit.wav", "wav", words("-c:a pcm_s24le -f wav")...),
		transcoded(65, "song.aiff", "aiff", words("-f aiff")...),
		transcoded(65, "alac.m4a", "mp4", words("-c:a alac -f ipod")...),
		transcoded(65, "song.ac3", "ac3", words("-c:a ac3 -b:a 192k -f ac3")...),
		transcoded(65, "song.eac3", "ac3", words("-c:a eac3 -b:a 192k -f eac3")...),
		transcoded(65, "song.aac", "adts", words("-c:a aac -f adts")...),
		transcoded(65, "vorbis.webm", "webm", words("-c:a libvorbis -f webm")...),
		transcoded(65, "vorbis.ogg", "ogg", words("-c:a libvorbis -f ogg")...),
		transcoded(65, "flac.oga", "ogg", words("-c:a flac -f ogg")...),
		transcoded(65, "opus.mp4", "mp4", words(opus20+" -f mp4")...),
		transcoded(65, "aac.mkv", "webm", words("-c:a aac -f matroska")...),
		transcoded(65, "song.mp3", "mp3", words("-c:a libmp3lame -b:a 192k -f mp3")...),
		transcoded(65, "vbr.mp3", "mp3", words("-c:a libmp3lame -q:a 3 -f mp3")...),
		transcoded(65, "without-xing.mp3", "mp3", words("-c:a libmp3lame -b:a 128k -write_xing 0 -id3v2_version 0 -f mp3")...),
		transcoded(65, "song.flac", "flac", words("-c:a flac -f flac")...),
		transcoded(65, "song.wav", "wav", words("-f wav")...),
	}
	opusenc := func(row int, name string, ms float64, args ...string) {
		e := copied(row, name, "ogg", ms, args...)
		e.tool = "opusenc"
		all = append(all, e)
	}
	opusenc(47, "opusenc.opus", 20, "--bitrate", "128")
	opusenc(47, "opusenc-mono.opus", 20, "--bitrate", "96", "--downmix-mono")
	opusenc(37, "opusenc-2.5ms.opus", 2.5, "--bitrate", "160", "--framesize", "2.5")
	opusenc(37, "opusenc-5ms.opus", 5, "--bitrate", "160", "--framesize", "5")
	opusenc(37, "opusenc-10ms.opus", 10, "--bitrate", "160", "--framesize", "10")
	opusenc(55, "opusenc-300k-tags.opus", 20, "--bitrate", "128", "--padding", "300000")
	opusenc(54, "opusenc-small-pages.opus", 20, "--bitrate", "128", "--max-delay", "20")
	return all
}

// materials are what the files made by hand are made of.
func materials() []encoding {
	opus := func(name, args string) encoding { return hidden(name, words("-c:a libopus "+args+" -f ogg")...) }
	return []encoding{
		opus("celt20", "-b:a 128k"),
		opus("celt20-mono", "-ac 1 -b:a 64k"),
		opus("celt10", "-b:a 128k -application lowdelay -frame_duration 10"),
		opus("celt60", "-b:a 128k -application lowdelay -frame_duration 60"),
		opus("silk20", "-ac 1 -b:a 12k -application voip"),
		opus("silk60", "-ac 1 -b:a 12k -application voip -frame_duration 60"),
		opus("hybrid20", "-ac 1 -b:a 20k -application voip"),
		opus("other20", "-b:a 128k").from("-i", "other.wav"),
		hidden("youtube.webm", words(opus20+" -f webm -dash 1 -cluster_time_limit 3000 -cues_to_front 1")...),
		hidden("moov-last.m4a", words("-c:a aac -b:a 128k -f ipod")...),
		hidden("faststart.m4a", words("-c:a aac -b:a 128k -f ipod -movflags faststart")...),
		hidden("fragmented.m4a", words("-c:a aac -b:a 128k -f mp4 -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 2000000")...),
		hidden("song.mp3", words("-c:a libmp3lame -b:a 128k -f mp3")...),
		hidden("without-xing.mp3", words("-c:a libmp3lame -b:a 128k -write_xing 0 -id3v2_version 0 -f mp3")...),
		hidden("song.flac", words("-c:a flac -f flac")...),
		hidden("song.wav", words("-f wav -bitexact")...),
		hidden("vorbis.ogg", words("-c:a libvorbis -f ogg")...),
		hidden("video.webm", words("-c:v libvpx -b:v 100k -deadline realtime -f webm")...).from(words("-f lavfi -i testsrc=s=160x120:r=10:d=5")...),
		hidden("hours.flac", words("-c:a flac -compression_level 0 -f flac")...).from(words("-f lavfi -t 36000 -i anullsrc=r=8000:cl=mono")...),
	}
}
