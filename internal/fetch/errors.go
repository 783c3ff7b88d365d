package fetch

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"xbuild/internal/hint"
	"xbuild/internal/store"
)

// ErrNotFound is in the chain of an error when a server said that what was
// asked for does not exist.
var ErrNotFound = errors.New("not found")

// A StatusError is an HTTP answer other than success.
type StatusError struct {
	Code       int
	RetryAfter time.Duration // as the server wishes
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code)))
}

// Is makes errors.Is(err, ErrNotFound) work.
func (e *StatusError) Is(target error) bool {
	return target == ErrNotFound && (e.Code == http.StatusNotFound || e.Code == http.StatusGone)
}

type sizeError struct {
	want, got int64
	more      bool // got is only what came before it was stopped
}

func (e *sizeError) Error() string {
	if e.more {
		return fmt.Sprintf("the server sends more than the %d bytes wanted", e.want)
	}
	return fmt.Sprintf("the server has %d bytes, wanted are %d", e.got, e.want)
}

type tooLargeError struct{ max int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than the %d bytes allowed", e.max)
}

// An Attempt is one URL and why it did not serve.
type Attempt struct {
	URL string
	Err error
}

// An Error says that no URL served.
type Error struct {
	Name     string
	Archive  string // as in Item
	Attempts []Attempt
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s could not be fetched:", e.Name)
	for _, a := range e.Attempts {
		fmt.Fprintf(&b, "\n  %s: %v", a.URL, a.Err)
	}
	return b.String() + hint.Line(e.Hint())
}

func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		errs[i] = a.Err
	}
	return errs
}

// Hint is what can be done about the mirrors, or the network.
func (e *Error) Hint() string {
	var gone, wrong int
	for _, a := range e.Attempts {
		var bad *store.MismatchError
		var size *sizeError
		switch {
		case errors.Is(a.Err, ErrNotFound):
			gone++
		case errors.As(a.Err, &bad), errors.As(a.Err, &size):
			wrong++
		}
	}
	switch {
	case wrong > 0:
		return "a mirror serves another file than the one that is locked; nothing of it was kept. Name another mirror (" +
			e.mirror() + ")"
	case gone == len(e.Attempts):
		return `the mirrors do not have this file, perhaps no longer: run "xbuild lock --update", or name another mirror (` +
			e.mirror() + `)`
	case gone > 0:
		return `a mirror does not have this file, perhaps no longer, and others do not answer: run "xbuild lock --update", name another mirror (` + e.mirror() + `), or check the network`
	default:
		return "check the network and HTTPS_PROXY, or name another mirror (" + e.mirror() +
			"); what was fetched is kept, so run the same command again"
	}
}

// mirror is what names another server of the archive that did not serve.
func (e *Error) mirror() string {
	if e.Archive == "" {
		return "XBUILD_DEBIAN_MIRROR, or [mirrors] in xbuild.toml"
	}
	return fmt.Sprintf("XBUILD_%s_MIRROR, or [mirrors] %s in xbuild.toml", strings.ToUpper(e.Archive), e.Archive)
}

// An OfflineError lists what would have to be fetched.
type OfflineError struct {
	Missing []Item
	Command string // of Options
}

func (e *OfflineError) Error() string {
	var b strings.Builder
	var sum int64
	for _, it := range e.Missing {
		sum += it.Size
	}
	fmt.Fprintf(&b, "%s (%s) not in the store, and --offline forbids to fetch:", count(len(e.Missing)), megabytes(sum))
	const show = 20
	for i, it := range e.Missing {
		if i == show {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Missing)-show)
			break
		}
		b.WriteString("\n  " + it.Name)
	}
	return b.String() + hint.Line(e.Hint())
}

// Hint is the command that fetches them.
func (e *OfflineError) Hint() string {
	return fmt.Sprintf("run %q while there is a network", cmp.Or(e.Command, "xbuild fetch"))
}
