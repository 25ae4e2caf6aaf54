package youtube

import (
	"fmt"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Codes of the *jobs.Error that this package returns, beside those of package
// link for texts that name no video. They are stable.
const (
	// The video is at fault: permanent.
	CodeInvalidID     = "invalid_id"     // not eleven characters of the right kind
	CodeNotFound      = "not_found"      // does not exist, or was removed
	CodePrivate       = "private"        //
	CodeAgeRestricted = "age_restricted" // and no cookies, or they did not help
	CodeGeoBlocked    = "geo_blocked"    // not in the country that we ask from
	CodeMembersOnly   = "members_only"   // paying members of the channel or of YouTube
	CodeLive          = "live"           // it never ends
	CodeUpcoming      = "upcoming"       // it has not begun
	CodeTooLong       = "too_long"       // plays longer than Options.MaxDuration
	CodeTooLarge      = "too_large"      // has more bytes than Options.MaxBytes
	CodeEmpty         = "empty"          // of length 0 and not live
	CodeNoAudio       = "no_audio"       // no audio format in any extractor, or protected
	CodeUnplayable    = "unplayable"     // a reason that we do not know; it is in the cause

	// Trying again may help.
	CodeRateLimited = "rate_limited" // 429 and its relatives: the address has to pause
	CodeBotCheck    = "bot_check"    // "sign in to confirm you're not a bot"
	CodePaced       = "paced"        // our own pace: the song waits for its turn
	CodeExpiredURL  = "expired_url"  // media links are refused, also fresh ones
	CodeUpstream    = "upstream"     // 5xx, HTML for JSON, another video than asked
	CodeNetwork     = "network"      // reset, timeout, stall
	CodeIncomplete  = "incomplete"   // fewer or more bytes than announced

	// An operator has to act.
	CodeQuota  = "quota"  // the Data API's searches of the day are used up
	CodeConfig = "config" // key refused, yt-dlp missing, cookies unusable
)

// class describes one code.
type class struct {
	class    jobs.Class
	remember time.Duration // permanent only
	en, es   string        // for the user
}

const (
	day     = 24 * time.Hour
	forever = 10 * 365 * day
)

// classes is the taxonomy. Messages are sentences for users: no id, no address,
// nothing that YouTube wrote.
var classes = map[string]class{
	CodeInvalidID:     {jobs.ClassPermanent, forever, "That is not a YouTube video link.", "Eso no es un enlace a un video de YouTube."},
	CodeNotFound:      {jobs.ClassPermanent, day, "This video does not exist or was removed.", "Este video no existe o fue eliminado."},
	CodePrivate:       {jobs.ClassPermanent, day, "This video is private.", "Este video es privado."},
	CodeAgeRestricted: {jobs.ClassPermanent, day, "This video is age-restricted; the bot cannot play it.", "Este video tiene restricción de edad; el bot no puede reproducirlo."},
	CodeGeoBlocked:    {jobs.ClassPermanent, day, "This video is not available in the bot's region.", "Este video no está disponible en la región del bot."},
	CodeMembersOnly:   {jobs.ClassPermanent, day, "Only paying members can watch this video.", "Solo los miembros de pago pueden ver este video."},
	CodeLive:          {jobs.ClassPermanent, time.Hour, "Live streams cannot be queued.", "Las transmisiones en vivo no se pueden encolar."},
	CodeUpcoming:      {jobs.ClassPermanent, 10 * time.Minute, "This video has not started yet.", "Este video todavía no empezó."},
	CodeTooLong:       {jobs.ClassPermanent, forever, "The video is too long.", "El video es demasiado largo."},
	CodeTooLarge:      {jobs.ClassPermanent, forever, "The audio of this video is too large.", "El audio de este video es demasiado grande."},
	CodeEmpty:         {jobs.ClassPermanent, day, "It has no audio.", "No tiene audio."},
	CodeNoAudio:       {jobs.ClassPermanent, 6 * time.Hour, "This video has no playable audio.", "Este video no tiene audio reproducible."},
	CodeUnplayable:    {jobs.ClassPermanent, time.Hour, "YouTube does not let this video be played.", "YouTube no permite reproducir este video."},
	CodeRateLimited:   {jobs.ClassThrottled, 0, "YouTube is limiting us, try later.", "YouTube nos está limitando, probá más tarde."},
	CodeBotCheck:      {jobs.ClassThrottled, 0, "YouTube is asking for a check, try later.", "YouTube está pidiendo una verificación, probá más tarde."},
	CodePaced:         {jobs.ClassThrottled, 0, "The song waits for its turn.", "La canción espera su turno."},
	CodeExpiredURL:    {jobs.ClassExtractor, 0, "YouTube refuses the media of this video, try later.", "YouTube rechaza el audio de este video, probá más tarde."},
	CodeUpstream:      {jobs.ClassTransient, 0, "YouTube is having trouble.", "YouTube está teniendo problemas."},
	CodeNetwork:       {jobs.ClassTransient, 0, "The connection to YouTube failed.", "Falló la conexión con YouTube."},
	CodeIncomplete:    {jobs.ClassTransient, 0, "The download is incomplete.", "La descarga quedó incompleta."},
	CodeQuota:         {jobs.ClassThrottled, 0, "Today's searches are used up; send a link instead.", "Se agotaron las búsquedas de hoy; mandá un enlace."},
	CodeConfig:        {jobs.ClassEnvironment, 0, "The service is not set up for this; an operator has to look at it.", "El servicio no está configurado para esto; un operador tiene que revisarlo."},
}

// Codes returns every code of this package with its class, for documentation
// and for tests that compare it with others' tables.
func Codes() map[string]jobs.Class {
	all := make(map[string]jobs.Class, len(classes))
	for code, c := range classes {
		all[code] = c.class
	}
	return all
}

// Message returns the English sentence for a code, "" for a code of others.
func Message(code string) string { return classes[code].en }

// MessageES returns the Spanish sentence for a code, "" for a code of others.
func MessageES(code string) string { return classes[code].es }

// fail makes the error of a class. cause is for operators; it must be clean
// already (see redact.go).
func fail(code string, cause error) *jobs.Error {
	c := classes[code]
	return &jobs.Error{Class: c.class, Code: code, Message: c.en, Remember: c.remember, Host: "youtube", Err: cause}
}

// wait makes the error of a throttled class.
func wait(code string, d time.Duration, cause error) *jobs.Error {
	e := fail(code, cause)
	e.Class, e.RetryAfter = jobs.ClassThrottled, d
	return e
}

// tooLong says the limit.
func tooLong(limit time.Duration, cause error) *jobs.Error {
	e := fail(CodeTooLong, cause)
	e.Message = fmt.Sprintf("The video is too long (limit %d min).", int(limit.Minutes()))
	return e
}

// code returns the code of an error of this package, CodeUpstream for others.
func codeOf(err error) string {
	if e := asError(err); e != nil {
		return e.Code
	}
	return CodeUpstream
}
