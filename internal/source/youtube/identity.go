package youtube

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Identity is what the player call says of the program that makes it. YouTube
// gives some identities media that can be fetched and others none, and changes
// its mind: so it is data, and a setting.
type Identity struct {
	Name       string `json:"name"`    // clientName
	Version    string `json:"version"` // clientVersion
	Number     int    `json:"number"`  // X-Youtube-Client-Name
	UserAgent  string `json:"user_agent"`
	Make       string `json:"device_make,omitempty"`
	Model      string `json:"device_model,omitempty"`
	OS         string `json:"os_name,omitempty"`
	OSVersion  string `json:"os_version,omitempty"`
	AndroidSDK int    `json:"android_sdk,omitempty"`
}

// identities are those known by name. As of 2026-11 VISIONOS alone gets whole
// songs without a token; the others are for the day when that changes.
var identities = map[string]Identity{
	"VISIONOS": {
		Name: "VISIONOS", Version: "1.02", Number: 101, Make: "Apple", Model: "RealityDevice17,1", OS: "visionOS", OSVersion: "26.5.23O471",
		UserAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_7_3) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
	},
	"ANDROID_VR": {
		Name: "ANDROID_VR", Version: "1.65.10", Number: 28, Make: "Oculus", Model: "Quest 3", OS: "Android", OSVersion: "12L", AndroidSDK: 32,
		UserAgent: "com.google.android.apps.youtube.vr.oculus/1.65.10 (Linux; U; Android 12L; eureka-user Build/SQ3A.220605.009.A1) gzip",
	},
	"IOS": {
		Name: "IOS", Version: "21.03.2", Number: 5, Make: "Apple", Model: "iPhone16,2", OS: "iPhone", OSVersion: "18.7.2.22H124",
		UserAgent: "com.google.ios.youtube/21.03.2 (iPhone16,2; U; CPU iOS 18_7_2 like Mac OS X;)",
	},
	"ANDROID": {
		Name: "ANDROID", Version: "21.26.364", Number: 3, OS: "Android", OSVersion: "11", AndroidSDK: 30,
		UserAgent: "com.google.android.youtube/21.26.364 (Linux; U; Android 11) gzip",
	},
	"WEB_EMBEDDED_PLAYER": {
		Name: "WEB_EMBEDDED_PLAYER", Version: "1.20260115.01.00", Number: 56,
		UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	},
}

// DefaultClient is the identity of a source that names none.
const DefaultClient = "VISIONOS"

// ParseIdentities reads the setting: names separated by commas, or JSON, one
// object or an array of objects and names. A JSON object whose name is known
// needs only the fields that differ.
//
//	VISIONOS,ANDROID_VR
//	{"name":"VISIONOS","version":"1.04"}
//	["VISIONOS",{"name":"TVHTML5","version":"7.20260101","number":7,"user_agent":"…"}]
func ParseIdentities(text string) ([]Identity, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		text = DefaultClient
	}
	var parts []json.RawMessage
	switch text[0] {
	case '[':
		if err := json.Unmarshal([]byte(text), &parts); err != nil {
			return nil, fmt.Errorf("read the list of identities: %w", err)
		}
	case '{':
		parts = []json.RawMessage{json.RawMessage(text)}
	default:
		for name := range strings.SplitSeq(text, ",") {
			quoted, err := json.Marshal(strings.TrimSpace(name))
			if err != nil {
				return nil, fmt.Errorf("name of an identity: %w", err)
			}
			parts = append(parts, quoted)
		}
	}
	if len(parts) == 0 {
		return nil, errors.New("the list of identities is empty")
	}
	all := make([]Identity, 0, len(parts))
	for _, part := range parts {
		one, err := parseIdentity(part)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func parseIdentity(part json.RawMessage) (Identity, error) {
	var name string
	if json.Unmarshal(part, &name) == nil {
		known, ok := identities[strings.ToUpper(name)]
		if !ok {
			return known, fmt.Errorf("identity %q is not known by name; known are %s", name, strings.Join(identityNames(), ", "))
		}
		return known, nil
	}
	var head struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(part, &head); err != nil {
		return Identity{}, fmt.Errorf("read an identity: %w", err)
	}
	one := identities[strings.ToUpper(head.Name)]
	if err := json.Unmarshal(part, &one); err != nil {
		return one, fmt.Errorf("read an identity: %w", err)
	}
	switch {
	case one.Name == "" || one.Version == "" || one.UserAgent == "":
		return one, fmt.Errorf("identity %q needs name, version and user_agent", one.Name)
	case strings.ContainsAny(one.UserAgent+one.Version, "\r\n\x00"):
		return one, fmt.Errorf("identity %q has line breaks in it", one.Name)
	}
	return one, nil
}

func identityNames() []string {
	names := make([]string, 0, len(identities))
	for name := range identities {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (id Identity) key() string { return id.Name + " " + id.Version }

// client returns context.client of the player call.
func (id Identity) client(visitor string) map[string]any {
	c := map[string]any{
		"hl": "en", "gl": "US", "timeZone": "UTC", "utcOffsetMinutes": 0,
		"clientName": id.Name, "clientVersion": id.Version, "userAgent": id.UserAgent,
	}
	for name, value := range map[string]string{
		"deviceMake": id.Make, "deviceModel": id.Model, "osName": id.OS, "osVersion": id.OSVersion, "visitorData": visitor,
	} {
		if value != "" {
			c[name] = value
		}
	}
	if id.AndroidSDK > 0 {
		c["androidSdkVersion"] = id.AndroidSDK
	}
	return c
}
