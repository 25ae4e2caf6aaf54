package double

// Identity is what YouTube makes of a program by the name that it gives.
type Identity struct {
	// Media is what becomes of its links.
	Media Media
	// SignIn: nothing without a session.
	SignIn bool
	// Takes says whether cookies are heeded.
	Cookies bool
	// Ages lets guests see what is for adults, if it may be embedded.
	Ages bool
}

// Media is what an identity gets to hear of the audio.
type Media string

// What an identity may get.
const (
	Plain  Media = ""       // links that work
	Dead   Media = "dead"   // links that are refused
	Token  Media = "token"  // links that need a proof of origin (pot=)
	SABR   Media = "sabr"   // no links: the one protocol for players alone
	Cipher Media = "cipher" // links whose signature the player's script makes

	// Challenge is as Cipher, and the script has to turn the parameter n too:
	// only programs that run scripts get such media.
	Challenge Media = "challenge"
)

// Identities returns what is known of the programs that ask, as of 2026-11: by
// clientName. A new map each time, for callers to change.
func Identities() map[string]Identity {
	return map[string]Identity{
		"VISIONOS":            {},
		"ANDROID_VR":          {Media: Dead}, // since 2026-08-17
		"TVHTML5":             {Media: Challenge, Cookies: true},
		"TVHTML5_SIMPLY":      {Media: Token},
		"WEB":                 {Media: SABR, Cookies: true},
		"MWEB":                {Media: Token, Cookies: true},
		"WEB_REMIX":           {Media: Token, Cookies: true},
		"WEB_CREATOR":         {Media: Token, SignIn: true, Cookies: true},
		"WEB_EMBEDDED_PLAYER": {Media: Cipher, Cookies: true},
		"IOS":                 {Media: Token},
		"ANDROID":             {Media: Token},
	}
}

// SetIdentity changes what becomes of an identity from now on.
func (d *Double) SetIdentity(name string, i Identity) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.identities[name] = i
}

// identity returns what is known of a name; names that nobody knows get links
// that need a token.
func (d *Double) identity(name string) Identity {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok := d.identities[name]; ok {
		return i
	}
	return Identity{Media: Token}
}
