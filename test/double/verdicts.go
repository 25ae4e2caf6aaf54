package double

// verdict is a refusal in YouTube's words. The apostrophes are as YouTube
// writes them: straight in some, curly in others.
type verdict struct {
	status, reason, more string
	messages             []string
	login                bool // names nothing of the video
	upcoming             bool
	legacy               int // desktopLegacyAgeGateReason
	captcha              bool
}

var verdicts = map[Kind]verdict{
	Private: {
		status: "LOGIN_REQUIRED", reason: "Private video", more: "Sign in if you've been granted access to this video",
		messages: []string{"This is a private video. Please sign in to verify that you may see it."}, login: true,
	},
	PrivateApp: {status: "LOGIN_REQUIRED", reason: "This video is private", login: true},
	Age: {
		status: "LOGIN_REQUIRED", reason: "Sign in to confirm your age", more: "This video may be inappropriate for some users.",
		legacy: 1,
	},
	AgeCheck:   {status: "AGE_CHECK_REQUIRED", reason: "This video may be inappropriate for some users."},
	AgeVerify:  {status: "AGE_VERIFICATION_REQUIRED", reason: "Sign in to confirm your age"},
	AgeContent: {status: "CONTENT_CHECK_REQUIRED", reason: "This video may be inappropriate for some users."},
	Bot: {
		status: "LOGIN_REQUIRED", reason: "Sign in to confirm you\u2019re not a bot", more: "This helps protect our community. Learn more", login: true,
	},
	Captcha: {status: "UNPLAYABLE", reason: "Video unavailable", captcha: true},
	Geo: {
		status: "UNPLAYABLE", reason: "Video unavailable", more: "The uploader has not made this video available in your country",
	},
	GeoClaim: {
		status: "UNPLAYABLE", reason: "Video unavailable",
		more: "This video contains content from SME, who has blocked it in your country on copyright grounds",
	},
	Members: {
		status: "UNPLAYABLE",
		reason: "Join this channel to get access to members-only content like this video, and other exclusive perks.",
	},
	MemberTier: {
		status: "UNPLAYABLE",
		reason: "This video is available to this channel's members on level: Gold (or any higher level). " +
			"Join this channel to get access to members-only content and other exclusive perks.",
	},
	Premium:     {status: "UNPLAYABLE", reason: "This video is only available to Music Premium members"},
	Paid:        {status: "UNPLAYABLE", reason: "This video requires payment to watch"},
	Removed:     {status: "ERROR", reason: "Video unavailable", more: "This video has been removed by the uploader", login: true},
	Unavailable: {status: "ERROR", reason: "This video is unavailable", login: true},
	Terminated: {
		status: "ERROR", reason: "Video unavailable", login: true,
		more: "This video is no longer available because the YouTube account associated with this video has been terminated.",
	},
	Upcoming:  {status: "LIVE_STREAM_OFFLINE", reason: "This live event will begin in 3 hours.", upcoming: true},
	Premiere:  {status: "LIVE_STREAM_OFFLINE", reason: "Premieres in 2 hours", upcoming: true},
	TryLater:  {status: "UNPLAYABLE", reason: "This content isn\u2019t available, try again later.", login: true},
	Reload:    {status: "UNPLAYABLE", reason: "The page needs to be reloaded."},
	Unknown:   {status: "UNPLAYABLE", reason: "The moon is in the wrong phase for this video"},
	OddStatus: {status: "MOON_PHASE_REQUIRED", reason: "Wait for the moon"},
	NoStatus:  {},
	Kids:      {status: "UNPLAYABLE", reason: "This video is not available"},
}

// playability is the part of the player call's answer that says why not.
func (v verdict) playability(reason string) object {
	if v.status == "" {
		return object{}
	}
	if reason == "" {
		reason = v.reason
	}
	screen := object{"reason": object{"simpleText": reason}, "icon": object{"iconType": "ERROR_OUTLINE"}}
	if v.more != "" {
		screen["subreason"] = object{"runs": []object{{"text": v.more[:len(v.more)/2]}, {"text": v.more[len(v.more)/2:]}}}
	}
	p := object{
		"status": v.status, "reason": reason,
		"errorScreen": object{"playerErrorMessageRenderer": screen},
	}
	if v.messages != nil {
		p["messages"] = v.messages
	}
	if v.legacy > 0 {
		p["desktopLegacyAgeGateReason"] = v.legacy
	}
	if v.captcha {
		p["errorScreen"] = object{"playerCaptchaViewModel": object{"title": object{"content": "Complete the check to go on"}}}
	}
	return p
}
