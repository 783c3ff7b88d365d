package archive

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// maxContents bounds the text of a Contents index; that of trixie's main for amd64 has under 200 MB.
const maxContents = 2 << 30

// Contents is Index for the list of which package has which file (wiki.debian.org/DebianRepository/Format, "Contents"
// indices).
func (r *Release) Contents(component, arch string) (plain, byHash string, hash FileHash, err error) {
	return r.index(component + "/Contents-" + arch)
}

// A Holder is a file and the packages that have it.
type Holder struct {
	Path     string // without a leading slash
	Packages []string
}

// ReadContents returns the files of a Contents index that match, in its order and at most so many. Each line is a path,
// blanks, and packages with their sections between commas.
func ReadContents(file string, match func(path string) bool, most int) ([]Holder, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer r.Close()
	var out []Holder
	lines := bufio.NewScanner(io.LimitReader(r, maxContents))
	lines.Buffer(make([]byte, 64<<10), maxStanza)
	for lines.Scan() && len(out) < most {
		line := lines.Text()
		i := strings.LastIndexAny(line, " \t")
		if i < 0 {
			continue
		}
		name := strings.TrimRight(line[:i], " \t")
		if !match(name) {
			continue
		}
		h := Holder{Path: name}
		for p := range strings.SplitSeq(line[i+1:], ",") {
			h.Packages = append(h.Packages, path.Base(p))
		}
		out = append(out, h)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return out, nil
}
