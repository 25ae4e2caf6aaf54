// Package double is a stand-in for YouTube: what its servers answer to programs
// that look for songs and fetch them, with every way in which they fail.
//
// No test and no developer has to reach YouTube, and nobody can make YouTube
// remove a video for a test. So this package serves a catalogue of songs as
// YouTube does, over plain HTTP for programs that can be told another address,
// and through a proxy for those that can not.
//
//	double.go    the server: where which request goes
//	tls.go       the proxy: CONNECT www.youtube.com:443, with a throw-away authority
//	song.go      what is in the catalogue
//	tracks.go    the audio: music in YouTube's formats, made once and kept
//	player.go    POST /youtubei/v1/player, the answer that matters
//	verdicts.go  the words with which YouTube refuses
//	identity.go  what it makes of the different programs that ask
//	pages.go     home, watch and embed pages, the player's script, the search
//	media.go     /videoplayback: ranges, signed links that expire, slow ones
//	signing.go   those links
//	dataapi.go   the Data API v3: search.list, videos.list, keys, quota
//	fault.go     what can go wrong, by video and by count
//	fill.go      a video for each of them
//	control.go   all that over HTTP, for people
//	log.go       what was asked, and how many bytes went out
//
// What is known of YouTube's behaviour is dated: it is that of November 2026.
package double
