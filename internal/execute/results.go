package execute

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/lazyregexp"
)

// Go keeps the results of packages in a cache, by all that it knows of. Of a package with C or assembly it does not
// know the headers elsewhere: a result that was made of other ones is taken all the same, in another checkout or where
// the build directory is gone. xbuild removes such results.

// A goPackage is what go list says of one.
type goPackage struct {
	Dir, BuildID     string
	Standard         bool
	CgoFiles, SFiles []string
}

// importsC tells Go source with C in it.
var importsC = lazyregexp.New(`(?m)^import[ \t]*(\([^)]*)?"C"`)

// unseen are the sources with C, and those in assembly, that the build system looked at alone: their result is one that
// it had, and what that was made from nobody saw.
func unseen(a *action.Action, st *state) map[string]bool {
	out := map[string]bool{}
	for _, s := range a.Steps {
		if len(s.Results) == 0 {
			continue
		}
		for _, r := range st.Reads {
			ext := filepath.Ext(r.Path)
			others := func(i int) bool { return st.Readers[i] != s.Command[0] }
			if ext != ".go" && ext != ".s" || slices.ContainsFunc(r.By, others) {
				continue
			}
			data, err := os.ReadFile(r.Path)
			if err == nil && (ext == ".s" || importsC.Match(data)) {
				out[r.Path] = true
			}
		}
	}
	return out
}

// forgetResults removes the results of packages with C or assembly from go's cache: of those with one of the files, of
// all where that is nil. known is false where there is one that it did not find.
func (r *runner) forgetResults(
	ctx context.Context, a *action.Action, files map[string]bool, log *bytes.Buffer,
) (n int, known bool, err error) {
	apart := *a
	apart.Apart = true
	output := func(s action.Step, argv ...string) ([]byte, error) {
		s.Command, s.Stdout = argv, filepath.Join(filepath.Dir(a.State), "results")
		defer os.Remove(s.Stdout)
		if err := r.command(ctx, &apart, s, log); err != nil {
			return nil, err
		}
		return os.ReadFile(s.Stdout)
	}
	known = true
	for _, s := range a.Steps {
		if len(s.Results) == 0 {
			continue
		}
		cache, err := output(s, s.Command[0], "env", "GOCACHE")
		if err != nil {
			return n, false, err
		}
		list, err := output(s, s.Results...)
		if err != nil {
			return n, false, err
		}
		for d := json.NewDecoder(bytes.NewReader(list)); ; {
			var p goPackage
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return n, false, fmt.Errorf("%s: %w", strings.Join(s.Results, " "), err)
			}
			own := slices.Concat(p.CgoFiles, p.SFiles)
			asked := func(f string) bool { return files == nil || files[filepath.Join(p.Dir, f)] }
			if p.Standard || !slices.ContainsFunc(own, asked) {
				continue
			}
			removed, err := forgetResult(strings.TrimSpace(string(cache)), p.BuildID)
			if err != nil {
				return n, false, err
			}
			known = known && removed
			n++
		}
	}
	return n, known, nil
}

// forgetResult removes the result with a build ID. That begins with the first 15 bytes of the action's, in base64,
// which in hexadecimal digits begin the name of the file that says where the result is (cmd/go/internal/work,
// hashToString, and cmd/go/internal/cache, fileName).
func forgetResult(cache, buildID string) (bool, error) {
	action, _, _ := strings.Cut(buildID, "/")
	id, err := base64.RawURLEncoding.DecodeString(action)
	if err != nil || len(id) < 8 {
		return false, nil
	}
	name := hex.EncodeToString(id)
	found, err := filepath.Glob(filepath.Join(escapeGlob(cache), name[:2], name+"*-a"))
	if err != nil {
		return false, err
	}
	for _, f := range found {
		if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
	}
	return len(found) > 0, nil
}
