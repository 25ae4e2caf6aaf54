package main

// piece is a short piece of music, composed for this demo and free to use under
// the project's licence.
type piece struct {
	ID      string
	Title   string
	Artist  string
	File    string
	Tempo   float64 // beats per minute
	Seconds float64
	Tracks  []track
	Encode  []string // arguments of ffmpeg
}

// webm is YouTube's layout for DASH: one Opus track, cues before clusters of
// about ten seconds, every size known.
func webm(bitrate string) []string {
	return []string{"-c:a", "libopus", "-b:a", bitrate, "-frame_duration", "20", "-application", "audio",
		"-f", "webm", "-dash", "1", "-cluster_time_limit", "10000", "-cues_to_front", "1"}
}

var score = []piece{
	{
		ID: "LunaOctubre", Title: "Luna de Octubre", Artist: "Butakero Ensemble", File: "luna-de-octubre.webm", Tempo: 132, Seconds: 16, Encode: webm("38k"),
		Tracks: []track{
			{pluck, 0.9, -0.2, "E5:1 A5:1 G5:1 E5:2 D5:1 C5:1 D5:1 E5:1 A4:3 F5:1 A5:1 G5:1 E5:2 C5:1 D5:1 C5:1 B4:1 A4:3 C5:1 E5:1 A5:1 G5:2 F5:1 E5:1 D5:1 C5:1 B4:2 G#4:1 A4:3"},
			{pluck, 0.5, 0.4, "(-:1 C4+E4:1 C4+E4:1)*3 (-:1 A3+C4:1 A3+C4:1)*1 (-:1 F3+A3:1 F3+A3:1)*1 (-:1 C4+E4:1 C4+E4:1)*1 (-:1 B3+D4:1 B3+D4:1)*1 (-:1 A3+C4:1 A3+C4:1)*1 (-:1 C4+E4:1 C4+E4:1)*2 (-:1 B3+E4:1 G#3+B3:1)*1 A3+C4+E4:3"},
			{bass, 0.7, 0, "A2:3 C3:3 A2:3 A2:3 F2:3 C3:3 E2:3 A2:3 A2:3 D3:3 E2:3 A2:3"},
		},
	},
	{
		ID: "RioClaro-01", Title: "Río Claro", Artist: "Butakero Ensemble", File: "rio-claro.webm", Tempo: 96, Seconds: 12, Encode: webm("38k"),
		Tracks: []track{
			{bell, 0.5, 0.3, "G4:0.5 B4:0.5 D5:0.5 G5:0.5 D5:0.5 B4:0.5 A4:0.5 B4:0.5 E4:0.5 G4:0.5 B4:0.5 E5:0.5 B4:0.5 G4:0.5 F#4:0.5 G4:0.5 C4:0.5 E4:0.5 G4:0.5 C5:0.5 E5:0.5 C5:0.5 G4:0.5 E4:0.5 D4:0.5 F#4:0.5 A4:0.5 D5:0.5 G5:2"},
			{pad, 0.5, -0.3, "G3+B3+D4:4 E3+G3+B3:4 C3+E3+G3:4 D3+F#3+A3:2 G3+B3+D4:3"},
			{bass, 0.6, 0, "G2:2 G2:2 E2:2 E2:2 C3:2 C3:2 D3:2 G2:3"},
		},
	},
	{
		ID: "CafePuerto1", Title: "Café del Puerto", Artist: "Los Muelles", File: "cafe-del-puerto.webm", Tempo: 120, Seconds: 12, Encode: webm("38k"),
		Tracks: []track{
			{pluck, 0.5, -0.4, "-:0.5 (D4+F4+A4:1 D4+F4+A4:1 D4+F4+A4:1.5 -:0.5)*2 (G3+B3+F4:1 G3+B3+F4:1 G3+B3+F4:1.5 -:0.5)*2 (E4+G4+B4:1 E4+G4+B4:1 E4+G4+B4:1.5 -:0.5)*1 C4+E4+G4:3"},
			{bell, 0.45, 0.4, "A5:1 F5:0.5 G5:0.5 A5:2 C6:1 A5:0.5 G5:0.5 F5:2 D5:1 F5:0.5 G5:0.5 B5:2 A5:1 G5:0.5 F5:0.5 D5:2 E5:1 G5:1 B5:1 D6:1 C6:3"},
			{bass, 0.8, 0, "(D2:1.5 A2:0.5 D2:1.5 A2:0.5)*2 (G2:1.5 D3:0.5 G2:1.5 D3:0.5)*2 E2:1.5 B2:0.5 E2:2 C3:3"},
			{brush, 0.5, 0.1, "(C8:0.5 C7:0.5)*9 (C8:0.5 C7:0.5)*9 (C8:0.5 C7:0.5)*4"},
		},
	},
	{
		ID: "PaperLights", Title: "Paper Lights", Artist: "Nine Lanterns", File: "paper-lights.webm", Tempo: 80, Seconds: 8, Encode: webm("38k"),
		Tracks: []track{
			{bell, 0.6, -0.1, "D5:0.5 F#5:0.5 A5:1 B5:0.5 A5:0.5 F#5:1 E5:0.5 F#5:0.5 D5:1 B4:1 D5:3"},
			{pad, 0.5, 0.2, "D3+A3+D4:4 B2+F#3+B3:4 D3+A3+D4:2"},
		},
	},
	{
		ID: "RadioVieja1", Title: "Radio Vieja", Artist: "Los Muelles", File: "radio-vieja.m4a", Tempo: 150, Seconds: 10,
		Encode: []string{"-c:a", "aac", "-b:a", "52k", "-ac", "1", "-ar", "44100", "-f", "mp4", "-movflags", "+faststart"},
		Tracks: []track{
			{pluck, 0.8, 0, "C5:1 E5:1 G5:1 E5:1 A5:2 G5:2 F5:1 E5:1 D5:1 C5:1 B4:2 G4:2 C5:1 E5:1 G5:1 C6:1 B5:1 G5:1 C5:3"},
			{pluck, 0.5, 0, "(C3:1 E4+G4:1)*4 (F3:1 A3+C4:1)*1 (G3:1 B3+D4:1)*3 (C3:1 E4+G4:1)*2 (G3:1 B3+D4:1)*1 C3+E4+G4:3"},
			{brush, 0.4, 0, "(C8:1)*9 (C8:1)*9 (C8:1)*4"},
		},
	},
}
