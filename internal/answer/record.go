package answer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"xbuild/internal/disk"
	"xbuild/internal/trace"
)

// settled is how long a file has to be unchanged for its time to tell it from another version: file systems count it in
// steps (two seconds at the most, on FAT).
const settled = 2 * time.Second

// stale is when what lies in the folder is of no use any more: a record holds for a day.
const stale = 2 * Day

// Why no record was made, and when to try again: soon, where that is for files that were young.
const (
	soon    = 5 * time.Second
	notSoon = time.Hour
)

// Kept says what is to be known of a command's files to keep its answer.
type Kept struct {
	// Fleeting tells paths that say something of the machine's moment, or that the command makes and removes itself: the
	// answer does not depend on them. What it tells of a path with a slash behind it holds for the names in a directory.
	Fleeting func(path string) bool
	// Mark tells files whose time of modification is when something was last used, to the day: the record ends before the
	// next command would have to renew it.
	Mark func(path string) bool
	// Touch is a file whose times tell, to the moment, when the command last ran; "" is none.
	Touch string
}

// Keep runs the command of this process again, watched, where it has found nothing to do for the second time, and keeps
// what it says together with what it looked for. It says nothing and changes nothing else: where no record can be made,
// the next command works as this one did.
func (q *Question) Keep(ctx context.Context, k Kept) error {
	if q.wait {
		return nil
	}
	dir := filepath.Dir(q.file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sweep(dir)
	if !q.due {
		return disk.Write(q.file, []byte(again))
	}
	data, wait, err := made(ctx, k)
	if err != nil {
		if ctx.Err() == nil {
			text := fmt.Sprintf("%s%d\n%v\n", later, time.Now().Add(wait).Unix(), err)
			err = errors.Join(err, disk.Write(q.file, []byte(text)))
		}
		return err
	}
	return disk.Write(q.file, data)
}

// made makes a record. Where none can be made, wait is for how long not to try it again.
func made(ctx context.Context, k Kept) (data []byte, wait time.Duration, err error) {
	start := time.Now()
	text, seen, err := run(ctx, k)
	if err != nil {
		return nil, notSoon, err
	}
	r := &record{text: text, touch: k.Touch, made: start.Unix(), until: start.Add(Day).Unix()}
	r.paths = slices.Sorted(maps.Keys(seen))
	for _, path := range r.paths {
		if info, err := os.Stat(path); err == nil && k.Mark(path) {
			r.until = min(r.until, info.ModTime().Add(Day).Unix())
		}
	}
	if r.until <= r.made {
		return nil, notSoon, errors.New("nothing tells that it is in use")
	}
	data = r.encode()
	// The digest is of what was there after the run. It counts where that is what was there before.
	digest, ok := r.look(func(path string, v version) {
		f := seen[path]
		there, found := v.found()
		switch {
		case len(f.Readers) > 0 && (found != (f.Stamp != trace.Stamp{}) || found && there.Ino != f.Stamp.Inode):
			err, wait = fmt.Errorf("%s came, went or was replaced meanwhile", path), notSoon
		case !v.changed().Before(start.Round(0).Add(-settled)):
			err, wait = fmt.Errorf("%s is too young", path), max(wait, soon)
		}
	})
	if err != nil {
		return nil, wait, err
	}
	if !ok || digest != r.digest {
		return nil, soon, errors.New("something changed while it was looked at")
	}
	// A clock that was set meanwhile tells nothing of what is old.
	if by := time.Since(start) - time.Now().Round(0).Sub(start.Round(0)); by.Abs() > time.Second {
		return nil, soon, errors.New("the clock was set")
	}
	return data, 0, nil
}

// run runs this process's command again, and returns what it said and what it did with files, by path.
func run(ctx context.Context, k Kept) (text string, seen map[string]trace.File, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	record := &trace.Record{
		Ignore: func(string) bool { return false },
		Reader: func([]string, string) string { return watched },
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", variable, watched, os.Getpid()))
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	diesWithParent(cmd.SysProcAttr)
	if err := record.Run(cmd, watched); err != nil {
		return "", nil, fmt.Errorf("%w: %s%s", err, out.String(), said.String())
	}
	if record.Partial() || out.Len() > 0 {
		return "", nil, errors.New("not all that it did was to be seen")
	}
	seen = record.Files()
	maps.DeleteFunc(seen, func(path string, f trace.File) bool {
		if k.Fleeting(filepath.Clean(path)) || strings.HasSuffix(path, "/") && k.Fleeting(path) {
			return true
		}
		if _, err := os.Readlink(path); err != nil {
			return false
		}
		real, err := filepath.EvalSymlinks(path)
		return err == nil && k.Fleeting(real) // /etc/mtab
	})
	seen[self] = trace.File{}
	return said.String(), seen, nil
}

// sweep removes what is of no use any more: nobody asks some questions again.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > stale {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
