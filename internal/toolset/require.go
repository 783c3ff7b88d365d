package toolset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/catalog"
	"xbuild/internal/hint"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/resolve"
)

// RequireView says what the lock has to hold for the compiler view of platforms, and for further toolchains.
func (ts *Tools) RequireView(platforms []platform.Platform, toolchains ...string) (resolve.Requests, error) {
	var req resolve.Requests
	for _, p := range platforms {
		for _, name := range append(ts.Compilers(p), toolchains...) {
			if err := ts.AddToolchain(&req, name, p); err != nil {
				return req, err
			}
		}
		if err := ts.AddSysroot(&req, p); err != nil {
			return req, err
		}
	}
	return req, nil
}

// RequireToolchain says what the lock has to hold for one toolchain, which is used while something is made or run for
// p.
func (ts *Tools) RequireToolchain(name string, p platform.Platform) (resolve.Requests, error) {
	var req resolve.Requests
	err := ts.AddToolchain(&req, name, p)
	return req, err
}

// AddToolchain asks for a toolchain that is used for p; nothing, where it is the host's own.
func (ts *Tools) AddToolchain(req *resolve.Requests, name string, p platform.Platform) error {
	if ts.Project.Toolchains[name].Source == "host" {
		return nil
	}
	r, err := ts.toolchainRequest(name, p)
	if err != nil {
		return err
	}
	PutToolchain(req, r)
	return nil
}

func (ts *Tools) toolchainRequest(name string, p platform.Platform) (resolve.ToolchainRequest, error) {
	def := ts.Catalog.Toolchain(name)
	if def == nil {
		return resolve.ToolchainRequest{}, fmt.Errorf("toolchain %q is unknown (xbuild toolchains lists them)", name)
	}
	asked := ts.Project.Toolchains[name]
	of := ""
	if def.ForEach() {
		if p.GCC == "" || !p.HasC() {
			return resolve.ToolchainRequest{}, ts.noCompiler(def, p)
		}
		if libc := ts.Libc(p); libc != "gnu" {
			return resolve.ToolchainRequest{}, hint.Add(
				fmt.Errorf("the archive's %s compiles for glibc, and libc is %q for %s", def.Name, libc, p.Name),
				"write cc = %q into [platform.%q] of %s", ts.Catalog.Compiler().Name, p.Name, project.FileName)
		}
		def, of = def.To(p), p.Base().Name
	}
	r := resolve.ToolchainRequest{Def: def.From(asked.Source), Constraint: asked.Constraint, Only: def.For(p),
		Platform: of,
		Open:     asked.Constraint == "" || asked.Least != ""}
	if asked.Line > 0 {
		file := ts.Project.File
		if asked.File != "" {
			file = asked.File
		}
		r.Where, r.Hint = fmt.Sprintf("%s:%d", file, asked.Line), asked.Hint
	}
	// The archive's newest that there is fetches an exact release.
	if def.Switches && Exact(asked.Constraint) != "" {
		r.Constraint = ""
	}
	return r, nil
}

// noCompiler is the error of a platform that a compiler is not for, with those that it is for.
func (ts *Tools) noCompiler(def *catalog.Toolchain, p platform.Platform) error {
	var has []string
	for _, q := range platform.All() {
		if q.GCC != "" && q.HasC() && q.Base().Name == q.Name {
			has = append(has, q.Name)
		}
	}
	return hint.Add(fmt.Errorf("the archive has no %s for %s; it has one for %s", def.Name, p.Name,
		strings.Join(has, ", ")), "write cc = %q into [platform.%q] of %s", ts.Catalog.Compiler().Name, p.Name,
		project.FileName)
}

// Exact returns the release that a constraint names exactly, "" where it names a range.
func Exact(constraint string) string {
	v, err := semver.StrictNewVersion(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(constraint), "=")))
	if err != nil {
		return ""
	}
	return v.String()
}

// AddSysroot asks for a platform's sysroot, with the C++ library that is built for it, for all targets or for one.
func (ts *Tools) AddSysroot(req *resolve.Requests, p platform.Platform) error {
	r, err := ts.sysrootRequest(p)
	if err != nil {
		return err
	}
	PutSysroot(req, r)
	if on, ok := ts.hostPackagesRequest(r, p); ok {
		PutHostPackages(req, on)
	}
	asked, done := []*Tools{ts}, []string{""}
	for _, t := range ts.Project.Targets {
		own := t.For(p)
		if own.Stdlib == "" && own.CC == "" || !builtFor(t, p) {
			continue
		}
		of := ts.For(own)
		if _, _, err := of.CXXRequest(p); err != nil {
			return fmt.Errorf("%s:%d: [target.%s]: %w", ts.Project.File, t.Line, t.Name, err)
		}
		if !slices.Contains(done, own.Stdlib) {
			asked, done = append(asked, of), append(done, own.Stdlib)
		}
	}
	for _, of := range asked {
		lib, wanted, err := of.CXXRequest(p)
		if err != nil {
			return err
		}
		if wanted {
			PutSysroot(req, lib)
		}
	}
	return nil
}

// PutToolchain, PutSysroot, PutPart and PutHostPackages add a request that is not there yet.
func PutToolchain(req *resolve.Requests, r resolve.ToolchainRequest) {
	if !slices.ContainsFunc(req.Toolchains, func(x resolve.ToolchainRequest) bool {
		return x.Def.Name == r.Def.Name && x.For() == r.For()
	}) {
		req.Toolchains = append(req.Toolchains, r)
	}
}

func PutSysroot(req *resolve.Requests, r resolve.SysrootRequest) {
	if !slices.ContainsFunc(req.Sysroots, func(x resolve.SysrootRequest) bool {
		return x.Def == r.Def && x.Arch == r.Arch && x.Suite == r.Suite && slices.Equal(x.Packages, r.Packages) &&
			slices.Equal(x.Constraints, r.Constraints)
	}) {
		req.Sysroots = append(req.Sysroots, r)
	}
}

func PutPart(req *resolve.Requests, r resolve.PartRequest) {
	if !slices.ContainsFunc(req.Parts, func(x resolve.PartRequest) bool {
		return x.Def == r.Def && x.Target == r.Target && slices.Equal(x.Promised, r.Promised)
	}) {
		req.Parts = append(req.Parts, r)
	}
}

func PutHostPackages(req *resolve.Requests, r resolve.HostPackagesRequest) {
	if !slices.ContainsFunc(req.HostPackages, r.Same) {
		req.HostPackages = append(req.HostPackages, r)
	}
}
