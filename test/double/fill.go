package double

import (
	"strconv"
	"strings"
)

// The ids of the songs that Fill adds, in the order of [Tracks]: short ones, the
// song, the large one.
var songIDs = []string{"LanternRn01", "RioClaro_02", "Quoted--003", "Crossroads4", "LongWayHom5"}

// Fill puts the tracks into the catalogue and, for each kind of failure, a video
// that fails so: its id is the kind's name, filled up with "-". For failures that
// may pass there is one more, with a 3 at the end: it fails three times.
func (d *Double) Fill(t *Tracks) error {
	all := append(append([]Track{}, t.Short...), t.Song, t.Large)
	for i, track := range all {
		if err := d.Add(NewSong(songIDs[i], track)); err != nil {
			return err
		}
	}
	for _, kind := range Kinds() {
		if !kind.OfVideos() {
			continue
		}
		for _, times := range []int{0, 3} {
			if times > 0 && len(kind) > 10 {
				continue
			}
			id := faultID(kind, times)
			track := t.Short[len(id+string(kind))%len(t.Short)]
			track.Title = "Failing: " + string(kind)
			if err := d.Add(NewSong(id, track)); err != nil {
				return err
			}
			f := Fault{Kind: kind, Times: times, Location: d.Trap()}
			if atByte[kind] || kind == MediaShort {
				f.At = int64(len(track.Files[251]) / 2)
			}
			d.Fail(id, f)
		}
	}
	return nil
}

func faultID(k Kind, times int) string {
	id := Pad(string(k))
	if times > 0 {
		id = id[:10] + strconv.Itoa(times)
	}
	return id
}

// KindOf returns the failure of a video that Fill has added for it, "" for any
// other id.
func KindOf(id string) Kind {
	k := Kind(strings.TrimRight(id, "-0123456789"))
	for _, known := range Kinds() {
		if known == k || string(known) == strings.TrimRight(id, "-") || string(known) == strings.TrimRight(strings.TrimRight(id, "0123456789"), "-") {
			return known
		}
	}
	return ""
}
