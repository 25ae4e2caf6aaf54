// Package youtube gets songs from YouTube: it turns links and titles into video
// ids and ids into audio.
//
// YouTube changes every few weeks and blocks what looks like a robot, so most of
// this package is about failing well. The way of a song:
//
//	Resolve    link → id (pure, no network); title → search (search.go), cached
//	Open       gate (health.go, pace.go): may this address ask YouTube now?
//	           → extractors in their order, until one delivers
//	native     player.go: the player call through kkdai/youtube, whose answer is
//	           read here (playability.go) because the library loses the reasons;
//	           formats.go picks the audio; fetch.go and range.go get the bytes
//	yt-dlp     ytdlp.go: a process with a private folder, the path that gets
//	           repaired first when YouTube changes, and the only one for cookies
//
// Every failure ends as a *jobs.Error with one of the codes of taxonomy.go. The
// codes are stable: they are in the job, the event, the API's answers and the
// metrics.
//
// What reaches the network goes through guard.go: an exact list of hosts, also
// after redirects, and no private address unless a setting names it. What
// reaches a log or a message goes through redact.go: no key, cookie or signed
// link.
package youtube
