package main

import (
	"errors"
	"io"

	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/opus"
	"github.com/butakero/butakero/internal/pipeline/webm"
)

// remux is the bare re-framing, without proofs and hashes.
func remux(r io.Reader, w io.Writer) error {
	in := webm.NewReader(r)
	out, err := dca.NewWriter(w, dca.NewMetadata(dca.Tool{Name: "audiobench", Version: "1"}))
	if err != nil {
		return err
	}
	var repacker opus.Repacker
	emit := out.WriteFrame // once, not for every packet
	for {
		packet, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := repacker.Push(packet, emit); err != nil {
			return err
		}
	}
	if err := repacker.Flush(emit); err != nil {
		return err
	}
	return out.Flush()
}
