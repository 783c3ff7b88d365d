package lock

import (
	"errors"
	"fmt"

	"xbuild/internal/tomlfile"
)

// errOther is what a text fails with that may be a lock, but is not as encode writes it.
var errOther = errors.New("not the tables of a lock")

// bind reads the tables of a lock. It gives up at the first thing that encode does not write, and decode reads the file
// instead: that takes many times as long, more than all else that "xbuild env" does.
func bind(root *tomlfile.Node) (*Lock, error) {
	l := &Lock{}
	var toolchains, sysroots, files *tomlfile.Node
	fields := map[string]any{"version": &l.Version, "toolchain": &toolchains, "sysroot": &sysroots}
	if err := root.Bind(fields); err != nil {
		return nil, err
	}
	if l.Version != Version {
		return nil, errVersion(l.Version)
	}
	// One variable for all entries: making the map of its fields is most of the work.
	var t Toolchain
	fields = map[string]any{"name": &t.Name, "platform": &t.Platform, "version": &t.Version, "host": &t.Host,
		"constraint": &t.Constraint, "archive": &t.Archive, "suite": &t.Suite, "date": &t.Date, "roots": &t.Roots,
		"files": &files}
	err := tables(toolchains, fields, func() (err error) {
		t.Files, err = bindFiles(files)
		l.Toolchains = append(l.Toolchains, t)
		t, files = Toolchain{}, nil
		return err
	})
	if err != nil {
		return nil, err
	}
	var s Sysroot
	fields = map[string]any{"name": &s.Name, "arch": &s.Arch, "version": &s.Version, "archive": &s.Archive,
		"suite": &s.Suite, "date": &s.Date, "roots": &s.Roots,
		"programs": &s.Programs, "files": &files}
	err = tables(sysroots, fields, func() (err error) {
		s.Files, err = bindFiles(files)
		l.Sysroots = append(l.Sysroots, s)
		s, files = Sysroot{}, nil
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

func bindFiles(list *tomlfile.Node) ([]File, error) {
	var f File
	var out []File
	fields := map[string]any{"name": &f.Name, "version": &f.Version, "arch": &f.Arch, "size": &f.Size,
		"sha256": &f.SHA256, "path": &f.Path, "archive": &f.Archive}
	err := tables(list, fields, func() error {
		out = append(out, f)
		f = File{}
		return nil
	})
	return out, err
}

// tables binds each table of a list, which may be missing, and calls then after each.
func tables(list *tomlfile.Node, fields map[string]any, then func() error) error {
	if list == nil {
		return nil
	}
	if list.Kind != tomlfile.List {
		return fmt.Errorf("%s: %w", list.Name, errOther)
	}
	for _, item := range list.Nodes {
		if item.Kind != tomlfile.Table || item.Twice {
			return fmt.Errorf("%s: %w", list.Name, errOther)
		}
		if err := item.Bind(fields); err != nil {
			return err
		}
		if err := then(); err != nil {
			return err
		}
	}
	return nil
}
