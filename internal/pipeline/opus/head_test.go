package opus

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// head is an OpusHead with 312 samples of pre-skip and 44.1 kHz input.
func head(version, channels byte, gain int16, family byte, table ...byte) []byte {
	b := append([]byte("OpusHead"), version, channels, 0x38, 0x01, 0x44, 0xAC, 0, 0, byte(gain), byte(gain>>8), family)
	return append(b, table...)
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		in     []byte
		want   Head
		reason Reason // "" = can be copied
	}{
		{"stereo", head(1, 2, 0, 0), Head{1, 2, 312, 44100, 0, 0, 1, 1, nil}, ""},
		{"mono", head(1, 1, 0, 0), Head{1, 1, 312, 44100, 0, 0, 1, 0, nil}, ""},
		{"version 15", head(15, 2, 0, 0), Head{15, 2, 312, 44100, 0, 0, 1, 1, nil}, ""},
		{"bytes behind it", head(1, 2, 0, 0, 1, 2, 3), Head{1, 2, 312, 44100, 0, 0, 1, 1, nil}, ""},
		{"family 1 stereo", head(1, 2, 0, 1, 1, 1, 0, 1), Head{1, 2, 312, 44100, 0, 1, 1, 1, []byte{0, 1}}, ""},
		{"family 1 mono", head(1, 1, 0, 1, 1, 0, 0), Head{1, 1, 312, 44100, 0, 1, 1, 0, []byte{0}}, ""},

		{"version 0", head(0, 2, 0, 0), Head{Version: 0}, ReasonVersion},
		{"version 16", head(16, 0, 0, 0), Head{Version: 16}, ReasonVersion},
		{"gain +6 dB", head(1, 2, 6*256, 0), Head{1, 2, 312, 44100, 1536, 0, 1, 1, nil}, ReasonGain},
		{"gain -12 dB", head(1, 2, -12*256, 0), Head{1, 2, 312, 44100, -3072, 0, 1, 1, nil}, ReasonGain},
		{"gain of 1/256 dB", head(1, 2, 1, 0), Head{1, 2, 312, 44100, 1, 0, 1, 1, nil}, ReasonGain},
		{"swapped", head(1, 2, 0, 1, 1, 1, 1, 0), Head{1, 2, 312, 44100, 0, 1, 1, 1, []byte{1, 0}}, ReasonMapping},
		{"one channel silent", head(1, 2, 0, 1, 1, 1, 0, 255), Head{1, 2, 312, 44100, 0, 1, 1, 1, []byte{0, 255}}, ReasonMapping},
		{"mono twice", head(1, 2, 0, 1, 1, 0, 0, 0), Head{1, 2, 312, 44100, 0, 1, 1, 0, []byte{0, 0}}, ReasonMapping},
		{"left only", head(1, 1, 0, 1, 1, 1, 0), Head{1, 1, 312, 44100, 0, 1, 1, 1, []byte{0}}, ReasonMapping},
		{"two mono streams", head(1, 2, 0, 1, 2, 0, 0, 1), Head{1, 2, 312, 44100, 0, 1, 2, 0, []byte{0, 1}}, ReasonMultistream},
		{"5.1", head(1, 6, 0, 1, 4, 2, 0, 4, 1, 2, 3, 5), Head{1, 6, 312, 44100, 0, 1, 4, 2, []byte{0, 4, 1, 2, 3, 5}}, ReasonMultistream},
		{"5.1 from one stream", head(1, 6, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1), Head{1, 6, 312, 44100, 0, 1, 1, 1, []byte{0, 0, 1, 1, 0, 1}}, ReasonMultistream},
		{"family 255", head(1, 2, 0, 255, 1, 1, 0, 1), Head{1, 2, 312, 44100, 0, 255, 1, 1, []byte{0, 1}}, ReasonFamily},
		{"family 2", head(1, 4, 0, 2, 4, 0, 0, 1, 2, 3), Head{1, 4, 312, 44100, 0, 2, 4, 0, []byte{0, 1, 2, 3}}, ReasonFamily},
		{"family 3 with a matrix", head(1, 4, 0, 3, 2, 2), Head{1, 4, 312, 44100, 0, 3, 0, 0, nil}, ReasonFamily},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseHead(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			err = got.Copyable()
			if test.reason == "" {
				if err != nil {
					t.Errorf("not copyable: %v", err)
				}
			} else {
				var refusal *NotCopyableError
				if !errors.Is(err, ErrNotCopyable) || !errors.As(err, &refusal) || refusal.Reason != test.reason {
					t.Errorf("Copyable: %v, want reason %s", err, test.reason)
				}
			}
			if test.reason != ReasonVersion && test.want.Streams > 0 {
				if again := got.Append(nil); !bytes.HasPrefix(test.in, again) || len(again) < headSize {
					t.Errorf("Append wrote %x, parsed from %x", again, test.in)
				}
			}
		})
	}
}

func TestParseHeadMalformed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   []byte
		want string // in the error
	}{
		{"nothing", nil, "too short"},
		{"magic alone", []byte("OpusHead"), "too short"},
		{"other magic", append([]byte("OpusTags"), head(1, 2, 0, 0)[8:]...), "start with"},
		{"18 bytes", head(1, 2, 0, 0)[:18], "18 bytes"},
		{"no channels", head(1, 0, 0, 0), "0 channels"},
		{"family 0 with 3 channels", head(1, 3, 0, 0), "3 channels"},
		{"family 1 with 9 channels", head(1, 9, 0, 1, 9, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8), "9 channels"},
		{"no table", head(1, 2, 0, 1), "table"},
		{"half a table", head(1, 2, 0, 1, 1, 1, 0), "table"},
		{"no streams", head(1, 2, 0, 1, 0, 0, 0, 1), "0 streams"},
		{"more coupled than streams", head(1, 2, 0, 1, 1, 2, 0, 1), "coupled"},
		{"more than 255 decoded channels", head(1, 2, 0, 1, 200, 100, 0, 1), "coupled"},
		{"channel that is not decoded", head(1, 2, 0, 1, 1, 1, 0, 2), "channel 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseHead(test.in)
			var fault *HeadError
			if !errors.Is(err, ErrHead) || !errors.As(err, &fault) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
}

func TestGainMessage(t *testing.T) {
	t.Parallel()
	h, err := ParseHead(head(1, 2, -12*256, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Copyable(); err == nil || !strings.Contains(err.Error(), "-12.00 dB") {
		t.Errorf("error %v does not tell the gain", err)
	}
}
