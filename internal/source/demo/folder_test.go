package demo_test

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/source/demo"
)

func TestFolderIsSeenWithoutRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSource(t, demo.Options{MediaDir: dir})
	refused(t, s, "blue train")
	write(t, dir, "Blue Train.mp3", []byte("one"))
	found, info, err := s.Resolve(t.Context(), "blue train")
	if err != nil || found.ID != demo.SongID("Blue Train.mp3") || info.Title != "Blue Train" {
		t.Fatalf("%s %+v %v", found, info, err)
	}
	write(t, dir, "jazz/Night Bus.OGG", []byte("two"))
	m, err := s.Open(t.Context(), song(demo.SongID("jazz/Night Bus.OGG"))) // by id alone
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(m.Body); string(data) != "two" || err != nil || m.Size != 3 {
		t.Errorf("%q of %d bytes, %v", data, m.Size, err)
	}
	if err := m.Body.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "Blue Train.mp3")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), found); jobs.AsError(err).Code != demo.CodeNotFound {
		t.Errorf("open of a file that is gone: %v", err)
	}
	refused(t, s, "blue train")
}

func TestFolderTakesOnlyAudioInIt(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, "secret.mp3", []byte("secret"))
	write(t, outside, "more/hidden.mp3", []byte("secret"))
	write(t, dir, "Real Song.flac", []byte("song"))
	write(t, dir, "cover.jpg", nil)
	write(t, dir, "notes.txt", nil)
	write(t, dir, ".trash.mp3", nil)
	write(t, dir, ".cache/thumb.mp3", nil)
	for name, target := range map[string]string{
		"secret.mp3": filepath.Join(outside, "secret.mp3"), "up.mp3": "../" + filepath.Base(outside) + "/secret.mp3", "folder": outside,
		"device.wav": "/dev/zero", "broken.mp3": "nowhere.mp3", "loop.mp3": "loop.mp3", "Second Name.flac": "Real Song.flac",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.mp3"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSource(t, demo.Options{MediaDir: dir})
	for _, text := range []string{"secret", "up", "hidden", "device", "broken", "loop", "pipe", "cover", "notes", "trash", "thumb"} {
		refused(t, s, text)
	}
	for _, name := range []string{"secret.mp3", "up.mp3", "folder/secret.mp3", "pipe.mp3", "device.wav", "../" + filepath.Base(outside) + "/secret.mp3"} {
		if _, err := s.Open(t.Context(), song(demo.SongID(name))); jobs.AsError(err).Code != demo.CodeNotFound {
			t.Errorf("open %s: %v", name, err)
		}
	}
	for _, text := range []string{"real song", "second name"} {
		if _, _, err := s.Resolve(t.Context(), text); err != nil {
			t.Errorf("resolve %q: %v", text, err)
		}
	}
	// A file that turns into a link after it was found leads nowhere either.
	if _, _, err := s.Resolve(t.Context(), "real song"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "Real Song.flac")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret.mp3"), filepath.Join(dir, "Real Song.flac")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), song(demo.SongID("Real Song.flac"))); err == nil {
		t.Error("a link out of the folder was opened")
	}
}

func TestSearchInFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"AC_DC - Thunderstruck.mp3", "Thunder Road.mp3", "Motörhead/Ace of Spades.mp3", "Mot\u0301o\u0308rhead/Overkill.mp3", "Live/Ace of Spades (live).mp3",
		"Ω.mp3", "夜に駆ける.opus", "夜空.opus", "!!!.mp3", "Don't Stop.mp3", "Straße 7.mp3", "same/Twin.mp3", "other/Twin.mp3", "\xff\xfe.mp3", "___.mp3",
	} {
		write(t, dir, name, []byte(name))
	}
	s := newSource(t, demo.Options{MediaDir: dir})
	for text, want := range map[string]string{
		"ac/dc thunderstruck": "AC_DC - Thunderstruck.mp3", "THUNDERSTRUCK": "AC_DC - Thunderstruck.mp3", "thunder": "Thunder Road.mp3", "thunders": "AC_DC - Thunderstruck.mp3",
		"ace of spades": "Motörhead/Ace of Spades.mp3", "motorhead ace of spades": "Motörhead/Ace of Spades.mp3", "ace of spades live": "Live/Ace of Spades (live).mp3",
		"motorhead overkill": "Mot\u0301o\u0308rhead/Overkill.mp3", "ω": "Ω.mp3", "駆ける": "夜に駆ける.opus", "夜": "夜に駆ける.opus", "!!!": "!!!.mp3", "dont stop": "Don't Stop.mp3",
		"don\u2019t  STOP!": "Don't Stop.mp3", "strasse 7": "Straße 7.mp3", "same twin": "same/Twin.mp3",
	} {
		got, _, err := s.Resolve(t.Context(), text)
		if want == "夜に駆ける.opus" && text == "夜" { // either has it: always the same one
			again, _, _ := s.Resolve(t.Context(), text)
			if err != nil || again != got {
				t.Errorf("resolve %q = %s, then %s, %v", text, got, again, err)
			}
			continue
		}
		if err != nil || got.ID != demo.SongID(want) {
			t.Errorf("resolve %q = %s, %v; want %s (%s)", text, got, err, want, demo.SongID(want))
		}
	}
	for _, text := range []string{"stairway to heaven", "to", "th", "?", "\U0001F3B5\U0001F3B5", "thunder and lightning over the hills"} {
		refused(t, s, text)
	}
	for _, name := range []string{"\xff\xfe.mp3", "___.mp3"} { // no words, but they can be had
		found, info, err := s.Resolve(t.Context(), "demo:"+demo.SongID(name))
		if err != nil || found.ID != demo.SongID(name) || info.Title == "" {
			t.Errorf("%q: %s %+v %v", name, found, info, err)
		}
	}
}

func TestMissingFolder(t *testing.T) {
	t.Parallel()
	if _, err := demo.New(demo.Options{MediaDir: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a folder that is not there was taken")
	}
}

func refused(t *testing.T, s *demo.Source, text string) {
	t.Helper()
	if found, info, err := s.Resolve(t.Context(), text); err == nil || jobs.AsError(err).Code != demo.CodeNotFound {
		t.Errorf("resolve %q = %s %q, %v", text, found, info.Title, err)
	}
}
