//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"xbuild/internal/origin/npm"
	"xbuild/internal/platform"
)

// TestDocker builds examples/all into images for every platform and runs each program of each image, through
// binfmt_misc and the QEMU that xbuild fetched: first what `xbuild build` left in dist is copied (Dockerfile), then
// `xbuild build` runs inside a stage (Dockerfile.build).
func TestDocker(t *testing.T) {
	needNetwork(t)
	e := startEngine(t)

	context := all(t)

	programs := readArtifacts(t, filepath.Join(context, "dist"))
	var platforms []platform.Platform
	for _, p := range platform.All() {
		if len(programs[p.Name]) == 0 {
			if p.HasC() && p.Name == p.Base().Name {
				t.Errorf("examples/all has no program for %s", p)
			}
			continue
		}
		platforms = append(platforms, p)
	}
	registerBinfmt(t, context, platforms)

	check := func(t *testing.T, p platform.Platform, tag, without string) {
		t.Helper()
		if len(programs[p.Name]) == 0 {
			t.Fatalf("examples/all has no program for %s", p)
		}
		for _, file := range programs[p.Name] {
			program := strings.TrimPrefix(file, p.Docker+"/")
			if program == without {
				continue
			}
			if got, want := e.run(t, p, tag, "/"+program), greeting(program, p.Name); got != want {
				t.Errorf("%s of the image for %s printed\n%s\nwant\n%s", program, p, got, want)
			}
		}
	}

	t.Run("stage", func(t *testing.T) {
		t.Parallel()
		testStages(t, e, check)
	})
	for _, p := range platforms {
		t.Run("dist/"+p.Name, func(t *testing.T) {
			t.Parallel()
			tag := "dist:" + strings.ReplaceAll(p.Name, "/", "-")
			e.build(t, context, "Dockerfile", p.Docker, tag)
			check(t, p, tag, "")
		})
	}
}

// testStages builds examples/all in a stage of a Docker build, and has the programs of its image checked.
func testStages(t *testing.T, e *engine, check func(t *testing.T, p platform.Platform, tag, without string)) {
	// The stage's own xbuild; it has to run in any base image.
	context := example(t, "all")
	without := ""
	if !full() { // Rust's toolchain is the largest to fetch and unpack, and all is fetched anew in a stage
		without = "hello-rust"
		edit(t, filepath.Join(context, "xbuild.toml"), "[target.hello-rust]", "[target.hello-rust]\nplatforms = [\"linux/amd64\"]")
	}
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(context, "xbuild"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	archive := hostArchive(t)
	e.debianImage(t, archive, "base")
	args := []string{"BASE=base", "XBUILD_DEBIAN_MIRROR=" + archive.site}
	for _, name := range []string{"GOPROXY", "GOSUMDB"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, name+"="+string(bytes.TrimSpace(out)))
	}
	// BuildKit knows these by name and keeps them out of the image.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		if v := os.Getenv(name); v != "" {
			args = append(args, name+"="+v)
		}
	}
	// One with a variant in its path; the machine's own and one of the other byte order too where all is
	// run: in a stage the compilers are the same.
	stages := []string{"linux/arm/v7"}
	if full() {
		stages = append(stages, "linux/amd64", "linux/s390x")
	}
	for _, name := range stages {
		t.Run(name, func(t *testing.T) {
			p, err := platform.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			tag := "stage:" + strings.ReplaceAll(name, "/", "-")
			e.build(t, context, "Dockerfile.build", p.Docker, tag, args...)
			check(t, p, tag, without)
		})
	}
	if full() {
		t.Run("unprivileged", func(t *testing.T) { everyStage(t, e, data, args) })
		t.Run("byhand", func(t *testing.T) { byHandStage(t, e, data, args) })
	}
}

// everyStage builds a target of every recipe in a stage, from a source that cannot be written, as a user without
// privileges and without a home.
func everyStage(t *testing.T, e *engine, program []byte, args []string) {
	context := write(t, everyRecipe)
	// Crates and npm's packages come from where the machine's own tools find them, which a stage does not see.
	edit(t, filepath.Join(context, "rust", "Cargo.toml"), "itoa = \"=1.0.15\"\n", "")
	edit(t, filepath.Join(context, "rust", "src", "main.rs"), "itoa::Buffer::new().format(7)", "7")
	edit(t, filepath.Join(context, "app", "package.json"), `"dependencies": { "ms": "2.1.3" }`, `"private": true`)
	edit(t, filepath.Join(context, "app", "index.js"), "require('ms')(1000)", "'1s'")
	if err := os.Remove(filepath.Join(context, "app", "package-lock.json")); err != nil {
		t.Fatal(err)
	}
	config, err := npm.ReadConfig(os.Getenv, context)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(context, "autotools", "configure"), 0o755); err != nil {
		t.Fatal(err)
	}
	build(t, context)
	want := readArtifacts(t, filepath.Join(context, "dist"))
	for name, text := range map[string]string{
		"xbuild": string(program),
		"Dockerfile": `ARG BASE
FROM ${BASE} AS build
COPY --chmod=755 xbuild /usr/local/bin/xbuild
WORKDIR /src
ARG XBUILD_DEBIAN_MIRROR
ARG XBUILD_NPM_MIRROR
ARG npm_config_registry
ARG GOPROXY
ARG GOSUMDB
ENV XBUILD_STORE=/store HOME=/nonexistent
# Not USER 1000: BuildKit of Docker 20.10 looks for the user in the image of this test's engine, and fails.
RUN --mount=type=bind,target=. --mount=type=cache,target=/store,uid=1000 setpriv --reuid=1000 --regid=1000 --clear-groups sh -c '! touch written 2>/dev/null && xbuild build -o /tmp/out'

FROM scratch
COPY --from=build /tmp/out/ /
`,
		".dockerignore": "dist\n.xbuild\n",
	} {
		if err := os.WriteFile(filepath.Join(context, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if config.Registry != "" {
		args = append(slices.Clone(args), "XBUILD_NPM_MIRROR="+config.Registry, "npm_config_registry="+config.Registry)
	}
	e.build(t, context, "Dockerfile", "linux/amd64", "unprivileged", args...)
	out := e.copied(t, "unprivileged")
	if got := readArtifacts(t, out); !reflect.DeepEqual(got, want) {
		t.Errorf("the stage built %q, want %q", got, want)
	}
}

// readArtifacts returns the paths below dist that artifacts.json lists for each platform.
func readArtifacts(t *testing.T, dist string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dist, "artifacts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var artifacts []struct{ Platform, Path string }
	if err := json.Unmarshal(data, &artifacts); err != nil {
		t.Fatalf("artifacts.json: %v", err)
	}
	paths := map[string][]string{}
	for _, a := range artifacts {
		paths[a.Platform] = append(paths[a.Platform], a.Path)
	}
	return paths
}

// byHandStage builds the projects of TestByHand in a stage, by the build systems' own commands in the environment of a
// platform.
func byHandStage(t *testing.T, e *engine, program []byte, args []string) {
	context := t.TempDir()
	config, err := npm.ReadConfig(os.Getenv, context)
	if err != nil {
		t.Fatal(err)
	}
	if config.Registry != "" {
		args = append(slices.Clone(args), "XBUILD_NPM_MIRROR="+config.Registry)
	}
	if err := os.WriteFile(filepath.Join(context, "xbuild"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-rL", headersOfNode(t), filepath.Join(context, "headers")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dockerfile := "ARG BASE\nFROM ${BASE} AS build\nCOPY xbuild /usr/local/bin/xbuild\nCOPY headers /headers\nENV NODEDIR=/headers\nARG XBUILD_DEBIAN_MIRROR\nARG XBUILD_NPM_MIRROR\nARG GOPROXY\nARG GOSUMDB\nCOPY p /p\n"
	for _, b := range byHands {
		name := strings.ReplaceAll(b.name, " ", "-")
		if err := os.CopyFS(filepath.Join(context, "p", name), os.DirFS(b.project(t))); err != nil {
			t.Fatal(err)
		}
		dockerfile += "RUN --mount=type=cache,target=/root/.cache/xbuild cd /p/" + name + ` && eval "$(xbuild env -q -p linux/arm64)" && ` + b.build + "\n"
	}
	dockerfile += "FROM scratch\nCOPY --from=build /p /p\n"
	if err := os.WriteFile(filepath.Join(context, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		t.Fatal(err)
	}
	e.build(t, context, "Dockerfile", "linux/amd64", "byhand", args...)
	out := e.copied(t, "byhand")
	for _, b := range byHands {
		t.Run(b.name, func(t *testing.T) { b.check(t, filepath.Join(out, "p", strings.ReplaceAll(b.name, " ", "-"))) })
	}
}

// copied is a directory with the files of an image.
func (e *engine) copied(t *testing.T, tag string) string {
	t.Helper()
	container, err := e.docker(t, time.Minute, "create", tag, "/none")
	if err != nil {
		t.Fatal(container, err)
	}
	out := t.TempDir()
	if text, err := e.docker(t, 5*time.Minute, "cp", strings.TrimSpace(container)+":/", out); err != nil {
		t.Fatal(text, err)
	}
	return out
}
