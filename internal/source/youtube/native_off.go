//go:build apionly

package youtube

import (
	"context"
	"errors"
)

// With the tag apionly the native extractor is left out, and with it the
// JavaScript engine that it brings along: a third of a program that only
// resolves titles and links, as the API does.

type visitors struct{}

func (*native) call(context.Context, string, Identity) (found, error) {
	return found{}, fail(CodeConfig, errors.New("this program was built without the native extractor"))
}
