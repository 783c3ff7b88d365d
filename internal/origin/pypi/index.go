package pypi

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"xbuild/internal/lazyregexp"
)

// Accept are the forms in which an index is asked for a page: JSON (PEP 691), and HTML from one that has no other
// (PEP 503).
const Accept = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

// A File is a wheel that a project's page lists.
type File struct {
	Wheel
	Name   string
	URL    string // absolute
	SHA256 string
	Size   int64 // 0 where the page does not say
	Yanked bool  // PEP 592: taken only where its version is named
}

// ErrPage is what a page that is none of a project fails with.
var ErrPage = errors.New("not a project's page of a Python package index")

var sha256 = lazyregexp.New(`^[0-9a-f]{64}$`)

// ParsePage returns the wheels that the page of a project lists. at is where it was read. What is no wheel of the
// project, and what the page names no SHA-256 of, is left out: nothing here would ever take it.
func ParsePage(project, at string, page []byte) ([]File, error) {
	if !ValidName(project) {
		return nil, fmt.Errorf("%w: %q is no name of a project", ErrPage, project)
	}
	base, err := url.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("%w: it lies at %q", ErrPage, at)
	}
	l := lister{project: Normalized(project), base: base}
	if bytes.HasPrefix(bytes.TrimSpace(page), []byte("{")) {
		err = l.json(page)
	} else {
		err = l.html(page)
	}
	return l.files, err
}

// A lister collects the files of a page.
type lister struct {
	project string
	base    *url.URL
	files   []File
}

func (l *lister) add(name, href, sum string, size int64, yanked bool) error {
	wheel, err := ParseWheel(name)
	if err != nil || wheel.Project != l.project || !sha256.MatchString(sum) {
		return nil
	}
	ref, err := url.Parse(href)
	if err != nil {
		return fmt.Errorf("%w: %s lies at %q, which is no URL", ErrPage, name, href)
	}
	at := l.base.ResolveReference(ref)
	at.Fragment = ""
	if path.Base(at.Path) != name || at.Scheme != "https" && at.Scheme != "http" && at.Scheme != "file" {
		return fmt.Errorf("%w: %s lies at %q", ErrPage, name, href)
	}
	l.files = append(l.files, File{Wheel: wheel, Name: name, URL: at.String(), SHA256: sum,
		Size: max(size, 0), Yanked: yanked})
	return nil
}

func (l *lister) json(page []byte) error {
	var doc struct {
		Meta struct {
			Version string `json:"api-version"`
		} `json:"meta"`
		Name  string `json:"name"`
		Files []struct {
			Name   string            `json:"filename"`
			URL    string            `json:"url"`
			Hashes map[string]string `json:"hashes"`
			Size   int64             `json:"size"`
			Yanked any               `json:"yanked"` // false, true, or why
		} `json:"files"`
	}
	if err := json.Unmarshal(page, &doc); err != nil {
		return fmt.Errorf("%w: %w", ErrPage, err)
	}
	if err := l.version(doc.Meta.Version); err != nil {
		return err
	}
	if Normalized(doc.Name) != l.project {
		return fmt.Errorf("%w: it is of %q, want %q", ErrPage, doc.Name, l.project)
	}
	for _, f := range doc.Files {
		yanked := f.Yanked != nil && f.Yanked != false
		if err := l.add(f.Name, f.URL, f.Hashes["sha256"], f.Size, yanked); err != nil {
			return err
		}
	}
	return nil
}

// version refuses a page of a later version of the interface than 1 (PEP 629).
func (l *lister) version(text string) error {
	if text != "" && text != "1" && !strings.HasPrefix(text, "1.") {
		return fmt.Errorf("%w of version 1: its version is %.20q", ErrPage, text)
	}
	return nil
}

// html reads the anchors of a page. A page of an index is simple enough for a lenient reader of XML.
func (l *lister) html(page []byte) error {
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	isHTML := false
	for {
		token, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPage, err)
		}
		tag, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attr := map[string]string{}
		yanked := false
		for _, a := range tag.Attr {
			name := strings.ToLower(a.Name.Local)
			attr[name] = a.Value
			yanked = yanked || name == "data-yanked"
		}
		switch strings.ToLower(tag.Name.Local) {
		case "html", "body":
			isHTML = true
		case "meta":
			if strings.EqualFold(attr["name"], "pypi:repository-version") {
				if err := l.version(attr["content"]); err != nil {
					return err
				}
			}
		case "base":
			if ref, err := url.Parse(attr["href"]); err == nil {
				l.base = l.base.ResolveReference(ref)
			}
		case "a":
			isHTML = true
			ref, err := url.Parse(attr["href"])
			if err != nil {
				continue // no file of an index
			}
			sum, _ := strings.CutPrefix(ref.Fragment, "sha256=")
			if err := l.add(path.Base(ref.Path), attr["href"], sum, 0, yanked); err != nil {
				return err
			}
		}
	}
	if !isHTML {
		return fmt.Errorf("%w: it is neither JSON nor HTML", ErrPage)
	}
	return nil
}
