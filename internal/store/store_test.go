package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// The test binary is also the other process: with STORE_HELPER set it does
// what the first argument says.
func TestMain(m *testing.M) {
	if os.Getenv("STORE_HELPER") != "" {
		if err := helper(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func helper(what string, args []string) error {
	s, err := Open(args[0])
	if err != nil {
		return err
	}
	ctx := context.Background()
	switch what {
	case "slow-tree": // says "making" for each time that it makes
		_, err = s.Tree(ctx, "shared", func(tmp, final string) error {
			fmt.Println("making")
			time.Sleep(200 * time.Millisecond)
			return os.WriteFile(filepath.Join(tmp, "f"), []byte("x"), 0o644)
		})
	case "slow-file":
		_, err = s.AddFile(ctx, sum("x"), 1, func(tmp string) error {
			fmt.Println("making")
			time.Sleep(200 * time.Millisecond)
			return os.WriteFile(tmp, []byte("x"), 0o644)
		})
	case "hang-tree": // is killed in the midst of make
		_, err = s.Tree(ctx, "killed", func(tmp, final string) error {
			if err := os.WriteFile(filepath.Join(tmp, "half"), []byte("half"), 0o644); err != nil {
				return err
			}
			fmt.Println("hanging")
			time.Sleep(time.Hour)
			return nil
		})
	case "hang-file":
		_, err = s.AddFile(ctx, sum("whole"), 5, func(tmp string) error {
			if err := os.WriteFile(tmp, []byte("who"), 0o644); err != nil {
				return err
			}
			fmt.Println("hanging")
			time.Sleep(time.Hour)
			return nil
		})
	case "use":
		if _, err := s.Use(ctx); err != nil {
			return err
		}
		fmt.Println("hanging")
		time.Sleep(time.Hour)
	default:
		err = fmt.Errorf("no helper %q", what)
	}
	return err
}

func command(what string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{what}, args...)...)
	cmd.Env = append(os.Environ(), "STORE_HELPER=1")
	cmd.Stderr = os.Stderr
	return cmd
}

// hang starts a helper and waits until it hangs. The caller kills it.
func hang(t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := command(what, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line := make([]byte, 8)
	if _, err := out.Read(line); err != nil || string(line) != "hanging\n" {
		t.Fatalf("the helper said %q, %v", line, err)
	}
	return cmd
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

func open(t *testing.T) *Store {
	t.Helper()
	return reopen(t, filepath.Join(t.TempDir(), "store"))
}

func reopen(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func add(t *testing.T, s *Store, text string) string {
	t.Helper()
	p, err := s.AddFile(t.Context(), sum(text), int64(len(text)), writer(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func writer(text string) func(string) error {
	return func(tmp string) error { return os.WriteFile(tmp, []byte(text), 0o644) }
}

func plant(t *testing.T, s *Store, key string) string {
	t.Helper()
	p, err := s.Tree(t.Context(), key, func(tmp, final string) error {
		return errors.Join(
			os.MkdirAll(filepath.Join(tmp, "usr/lib"), 0o755),
			os.WriteFile(filepath.Join(tmp, "usr/lib/a b\n.so"), []byte("library"), 0o644),
			os.WriteFile(filepath.Join(tmp, "self"), []byte(final), 0o755),
			os.Symlink("usr/lib", filepath.Join(tmp, "lib")),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clean fails unless the store holds nothing unfinished.
func clean(t *testing.T, s *Store) {
	t.Helper()
	for _, d := range []string{"tmp", "locks"} {
		entries, err := os.ReadDir(filepath.Join(s.Dir(), d))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if d != "locks" || e.Name() != "use" {
				t.Errorf("%s/%s was left in the store", d, e.Name())
			}
		}
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	for _, c := range []struct{ store, xdg, want string }{
		{"/s", "/x", "/s"},
		{"", "/x", "/x/xbuild"},
		{"", "relative", "/home/u/.cache/xbuild"},
		{"", "", "/home/u/.cache/xbuild"},
	} {
		t.Setenv("XBUILD_STORE", c.store)
		t.Setenv("XDG_CACHE_HOME", c.xdg)
		if got, err := DefaultDir(); err != nil || got != c.want {
			t.Errorf("XBUILD_STORE=%s XDG_CACHE_HOME=%s: the store is in %s (%v), want %s", c.store, c.xdg, got, err, c.want)
		}
	}
}

func TestOpen(t *testing.T) {
	s := open(t)
	tag, err := os.ReadFile(filepath.Join(s.Dir(), "CACHEDIR.TAG"))
	if err != nil || !bytes.HasPrefix(tag, []byte("Signature: 8a477f597d28d172789f06886806bc55")) {
		t.Errorf("CACHEDIR.TAG is %q, %v", tag, err)
	}
	clean(t, s)

	t.Run("somebody's folder", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
			t.Errorf("a folder with other things in it became a store: %v", err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("the folder was changed: %v", entries)
		}
	})
	t.Run("creation cut short", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o755); err != nil {
			t.Fatal(err)
		}
		clean(t, reopen(t, dir))
	})
	t.Run("another format", func(t *testing.T) {
		s := open(t)
		if err := os.WriteFile(filepath.Join(s.Dir(), "version"), []byte("xbuild store 9\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(s.Dir()); err == nil || !strings.Contains(err.Error(), "xbuild store 9") || !strings.Contains(err.Error(), "XBUILD_STORE") {
			t.Errorf("error is %v, want it to name the format and XBUILD_STORE", err)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "store")
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := Open(dir); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		clean(t, reopen(t, dir))
	})
}

func TestAddFile(t *testing.T) {
	s := open(t)
	if _, ok := s.File(sum("hello")); ok {
		t.Error("an empty store has a file")
	}
	p := add(t, s, "hello")
	if got, ok := s.File(sum("hello")); !ok || got != p {
		t.Errorf("File is %s, %v, want %s", got, ok, p)
	}
	if st, err := os.Stat(p); err != nil || st.Mode() != 0o444 {
		t.Errorf("the file's mode is %v (%v), want it read-only", st.Mode(), err)
	}
	if text, err := os.ReadFile(p); err != nil || string(text) != "hello" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if _, err := s.AddFile(t.Context(), sum("hello"), 5, func(string) error { return errors.New("written again") }); err != nil {
		t.Error(err)
	}
	clean(t, s)
}

func TestBadFileLeavesNothing(t *testing.T) {
	s := open(t)
	want := sum("good")
	none := func(name string) {
		t.Helper()
		if _, ok := s.File(want); ok {
			t.Errorf("%s: the file is in the store", name)
		}
		if entries, _ := os.ReadDir(filepath.Join(s.Dir(), "files")); len(entries) > 0 {
			t.Errorf("%s: files/ holds %v", name, entries)
		}
		clean(t, s)
	}
	_, err := s.AddFile(t.Context(), want, 4, writer("evil"))
	var bad *MismatchError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), sum("evil")) {
		t.Errorf("wrong hash: error is %v, want both hashes in it", err)
	}
	none("wrong hash")
	_, err = s.AddFile(t.Context(), want, 7, writer("good"))
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "4 bytes, wanted are 7") {
		t.Errorf("wrong size: error is %v, want both sizes in it", err)
	}
	none("wrong size")
	oops := errors.New("oops")
	if _, err = s.AddFile(t.Context(), want, 4, func(tmp string) error { _ = writer("go")(tmp); return oops }); !errors.Is(err, oops) {
		t.Errorf("failed write: error is %v, want oops", err)
	}
	none("failed write")
	if _, err = s.AddFile(t.Context(), want, 4, func(tmp string) error { return os.Symlink("/etc/passwd", tmp) }); err == nil {
		t.Error("a link was taken for a file")
	}
	none("link")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err = s.AddFile(ctx, want, 4, func(tmp string) error { cancel(); return writer("good")(tmp) }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error is %v", err)
	}
	none("cancelled")
	for _, name := range []string{"", "../../etc/passwd", strings.ToUpper(want), want[:63]} {
		if _, err := s.AddFile(t.Context(), name, 4, writer("good")); err == nil {
			t.Errorf("%q was taken for a sha256", name)
		}
	}
	none("bad names")
}

func TestTree(t *testing.T) {
	s := open(t)
	if _, ok := s.HasTree("clang-19"); ok {
		t.Error("an empty store has a tree")
	}
	p := plant(t, s, "clang-19")
	if p != s.TreePath("clang-19") {
		t.Errorf("the tree is at %s", p)
	}
	if self, err := os.ReadFile(filepath.Join(p, "self")); err != nil || string(self) != p {
		t.Errorf("make was told that the tree will be at %s (%v), it is at %s", self, err, p)
	}
	if got, ok := s.HasTree("clang-19"); !ok || got != p {
		t.Errorf("HasTree is %s, %v, want %s", got, ok, p)
	}
	if _, err := s.Tree(t.Context(), "clang-19", func(_, _ string) error { return errors.New("made again") }); err != nil {
		t.Error(err)
	}
	want := manifestHead +
		"l - - \"lib\" \"usr/lib\"\n" +
		fmt.Sprintf("f 0755 %d \"self\" %s\n", len(p), sum(p)) +
		"d 0755 - \"usr\"\nd 0755 - \"usr/lib\"\n" +
		fmt.Sprintf("f 0644 7 \"usr/lib/a b\\n.so\" %s\n", sum("library"))
	text, err := os.ReadFile(p + manifestSuffix)
	if err != nil || string(text) != want {
		t.Errorf("the manifest is\n%s(%v), want\n%s", text, err, want)
	}
	if m, err := decodeManifest(text); err != nil || !bytes.Equal(m.encode(), text) {
		t.Errorf("the manifest read and written again is\n%s(%v)", m.encode(), err)
	}
	clean(t, s)

	for _, key := range []string{"", ".", "..", "a/b", "../x", ".hidden", "x.manifest", strings.Repeat("x", 300)} {
		if _, err := s.Tree(t.Context(), key, func(_, _ string) error { return nil }); err == nil {
			t.Errorf("%q was taken for a key", key)
		}
	}
}

func TestFailedTreeLeavesNothing(t *testing.T) {
	s := open(t)
	oops := errors.New("oops")
	_, err := s.Tree(t.Context(), "k", func(tmp, _ string) error {
		// Packages have folders without write permission.
		return errors.Join(os.MkdirAll(filepath.Join(tmp, "a/b"), 0o755), os.Chmod(filepath.Join(tmp, "a"), 0o500), oops)
	})
	if !errors.Is(err, oops) {
		t.Errorf("error is %v, want oops", err)
	}
	if _, err := s.Tree(t.Context(), "k", func(tmp, _ string) error { return syscall.Mkfifo(filepath.Join(tmp, "pipe"), 0o600) }); err == nil {
		t.Error("a tree with a pipe was taken")
	}
	if entries, _ := os.ReadDir(filepath.Join(s.Dir(), "trees")); len(entries) > 0 {
		t.Errorf("trees/ holds %v", entries)
	}
	clean(t, s)
	plant(t, s, "k")
}

func TestTreeWithoutManifestIsMadeAnew(t *testing.T) {
	s := open(t)
	p := plant(t, s, "k")
	if err := errors.Join(os.Remove(p+manifestSuffix), os.WriteFile(filepath.Join(p, "stray"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.HasTree("k"); ok {
		t.Error("a tree without manifest is trusted")
	}
	plant(t, s, "k")
	if exists(filepath.Join(p, "stray")) {
		t.Error("the old tree was kept")
	}
	clean(t, s)
}

func TestTwoProcessesMakeOnce(t *testing.T) {
	for _, what := range []string{"slow-tree", "slow-file"} {
		t.Run(what, func(t *testing.T) {
			s := open(t)
			var out bytes.Buffer
			cmds := []*exec.Cmd{command(what, s.Dir()), command(what, s.Dir()), command(what, s.Dir())}
			outs := make([]bytes.Buffer, len(cmds))
			for i, c := range cmds {
				c.Stdout = &outs[i]
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
			}
			for i, c := range cmds {
				if err := c.Wait(); err != nil {
					t.Error(err)
				}
				out.Write(outs[i].Bytes())
			}
			if out.String() != "making\n" {
				t.Errorf("three processes at once said %q, want one \"making\"", out.String())
			}
			clean(t, s)
		})
	}
}

func TestKilled(t *testing.T) {
	for _, what := range []string{"hang-tree", "hang-file"} {
		t.Run(what, func(t *testing.T) {
			s := open(t)
			cmd := hang(t, what, s.Dir())

			// While it lives, its work is not swept away.
			s = reopen(t, s.Dir())
			if info, err := s.Info(); err != nil || info.Temporary.Count != 1 {
				t.Fatalf("the work of a living process was swept: %+v, %v", info, err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()

			s = reopen(t, s.Dir())
			if info, err := s.Info(); err != nil || info.Temporary.Count != 0 || info.Files.Count+info.Trees.Count != 0 {
				t.Errorf("after kill -9 the store holds %+v, %v, want nothing", info, err)
			}
			add(t, s, "whole")
			plant(t, s, "killed")
			if sum, err := s.Verify(t.Context(), false, nil); err != nil || sum.Problems != 0 || sum.Files != 1 || sum.Trees != 1 {
				t.Errorf("Verify says %+v, %v", sum, err)
			}
			clean(t, s)
		})
	}
}

// Every few milliseconds of the making, a process is killed: whatever it
// leaves, the next one must get a whole tree.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for i := range 12 {
		cmd := command("slow-tree", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*i) * 2 * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		s := reopen(t, dir)
		if sum, err := s.Verify(t.Context(), false, func(p Problem) { t.Error(p) }); err != nil {
			t.Fatalf("killed after %d ms: %+v, %v", i*i*2, sum, err)
		}
		if info, err := s.Info(); err != nil || info.Temporary.Count != 0 {
			t.Errorf("killed after %d ms: %+v, %v", i*i*2, info, err)
		}
	}
	plant(t, reopen(t, dir), "shared")
	clean(t, reopen(t, dir))
}

func TestLock(t *testing.T) {
	s := open(t)
	waits := make(chan string, 1)
	s.OnWait = func(name, holder string) { waits <- name + ": " + holder }
	unlock, err := s.Lock(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 1500*time.Millisecond, errors.New("enough"))
	defer cancel()
	ctx2, cancel2 := context.WithTimeoutCause(t.Context(), 3*time.Second, errors.New("enough"))
	defer cancel2()
	if _, err := s.Lock(ctx, "one"); err == nil || err.Error() != "enough" {
		t.Errorf("a second lock while the first is held: %v, want it to wait until its context ends", err)
	}
	select {
	case w := <-waits:
		t.Errorf("the wait for this process itself was told as %q", w)
	default:
	}
	if err := os.WriteFile(s.path("locks", "one"), []byte("process 1 (init)"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock(ctx2, "one"); err == nil || err.Error() != "enough" {
		t.Errorf("a second lock while another process holds it: %v", err)
	}
	select {
	case w := <-waits:
		if want := "one: process 1 (init)"; w != want {
			t.Errorf("the wait was told as %q, want %q", w, want)
		}
	default:
		t.Error("nobody was told of the wait")
	}
	other, err := s.Lock(t.Context(), "two")
	if err != nil {
		t.Errorf("another name's lock: %v", err)
	}
	other()
	unlock()
	clean(t, s)

	// One at a time, though lock files come and go.
	var in, most atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				unlock, err := s.Lock(t.Context(), "busy")
				if err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), in.Add(1)))
				in.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d had the lock at once", most.Load())
	}
	clean(t, s)
}

// Between opening and locking, the holder may have removed the file, and
// another process made and locked a new one.
func TestLockOfRemovedFileIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l := flock.New(path)
	if ok, err := tryLock(l); !ok || err != nil {
		t.Fatalf("a free lock is not to be had: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if ok, err := tryLock(l); ok || err != nil {
		t.Errorf("the lock of a removed file: %v, %v, want none", ok, err)
	}
	l = flock.New(path)
	if ok, err := tryLock(l); !ok || err != nil {
		t.Fatalf("a free lock is not to be had: %v", err)
	}
	if err := errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if ok, err := tryLock(l); ok || err != nil {
		t.Errorf("the lock of a replaced file: %v, %v, want none", ok, err)
	}
}

func TestVerify(t *testing.T) {
	damages := map[string]struct {
		do   func(tree string) error
		want string
	}{
		"content":     {func(d string) error { return os.WriteFile(d+"/usr/lib/a b\n.so", []byte("lIbrary"), 0o644) }, "sha256"},
		"cut":         {func(d string) error { return os.Truncate(d+"/usr/lib/a b\n.so", 0) }, "has 0 bytes, wanted are 7"},
		"mode":        {func(d string) error { return os.Chmod(d+"/self", 0o644) }, "mode 0644, wanted is 0755"},
		"link":        {func(d string) error { return errors.Join(os.Remove(d+"/lib"), os.Symlink("/lib", d+"/lib")) }, `"/lib", wanted is "usr/lib"`},
		"missing":     {func(d string) error { return os.Remove(d + "/self") }, "self is missing"},
		"extra":       {func(d string) error { return os.WriteFile(d+"/usr/evil", nil, 0o644) }, "usr/evil is not in the manifest"},
		"kind":        {func(d string) error { return errors.Join(os.Remove(d+"/self"), os.Mkdir(d+"/self", 0o755)) }, "another kind"},
		"manifest":    {func(d string) error { return os.Truncate(d+manifestSuffix, 60) }, "manifest is damaged"},
		"no manifest": {func(d string) error { return os.Remove(d + manifestSuffix) }, "no manifest"},
	}
	for name, d := range damages {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			tree := plant(t, s, "bad")
			if _, err := s.Tree(t.Context(), "good", func(tmp, _ string) error { return os.WriteFile(filepath.Join(tmp, "f"), []byte("its own"), 0o644) }); err != nil {
				t.Fatal(err)
			}
			add(t, s, "good")
			if err := d.do(tree); err != nil {
				t.Fatal(err)
			}
			var found []Problem
			verify := func(remove bool) {
				t.Helper()
				found = nil
				sum, err := s.Verify(t.Context(), remove, func(p Problem) { found = append(found, p) })
				if err != nil || sum.Files != 1 || sum.Trees != 2 || sum.Problems != 1 || len(found) != 1 {
					t.Fatalf("Verify says %+v, %v, %v, want one problem", sum, err, found)
				}
			}
			verify(false)
			if p := found[0]; p.Kind != KindTree || p.Key != "bad" || p.Removed || !strings.Contains(p.String(), d.want) {
				t.Errorf("the problem is %v, want it to say %q", p, d.want)
			}
			verify(true)
			if p := found[0]; !p.Removed || exists(tree) || exists(tree+manifestSuffix) {
				t.Errorf("the damaged tree was not removed: %v", p)
			}
			plant(t, s, "bad")
			if sum, err := s.Verify(t.Context(), false, nil); err != nil || sum.Problems != 0 {
				t.Errorf("made anew, Verify says %+v, %v", sum, err)
			}
			clean(t, s)
		})
	}
	t.Run("file", func(t *testing.T) {
		s := open(t)
		p := add(t, s, "text")
		if err := errors.Join(os.Chmod(p, 0o644), os.WriteFile(p, []byte("tExt"), 0o644)); err != nil {
			t.Fatal(err)
		}
		var found []Problem
		if _, err := s.Verify(t.Context(), true, func(p Problem) { found = append(found, p) }); err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 || !strings.Contains(found[0].String(), sum("tExt")) {
			t.Errorf("found %v, want the file with its present sha256", found)
		}
		if _, ok := s.File(sum("text")); ok {
			t.Error("the damaged file is still there")
		}
		add(t, s, "text")
	})
}

// Equal files of two trees are one, and each tree is whole without the other.
func TestShare(t *testing.T) {
	s := open(t)
	a, b := plant(t, s, "a"), plant(t, s, "b")
	one := func(p, q string) bool {
		t.Helper()
		sp, err := os.Lstat(p)
		if err != nil {
			t.Fatal(err)
		}
		sq, err := os.Lstat(q)
		if err != nil {
			t.Fatal(err)
		}
		return os.SameFile(sp, sq)
	}
	const library = "/usr/lib/a b\n.so"
	if !one(a+library, b+library) {
		t.Error("equal files of two trees are two files")
	}
	if one(a+"/self", b+"/self") {
		t.Error("files that differ are one")
	}
	c, err := s.Tree(t.Context(), "c", func(tmp, _ string) error {
		return errors.Join(
			os.WriteFile(filepath.Join(tmp, "program"), []byte("library"), 0o755),
			os.Mkdir(filepath.Join(tmp, "closed"), 0o755),
			os.WriteFile(filepath.Join(tmp, "closed/f"), []byte("library"), 0o644),
			os.WriteFile(filepath.Join(tmp, "none"), nil, 0o644),
			os.Chmod(filepath.Join(tmp, "closed"), 0o555))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(c+"/closed", 0o755) })
	if one(a+library, c+"/program") {
		t.Error("files of other permissions are one")
	}
	whole := func(trees int) {
		t.Helper()
		sum, err := s.Verify(t.Context(), false, func(p Problem) { t.Error(p) })
		if err != nil || sum.Trees != trees {
			t.Errorf("Verify says %+v, %v, want %d trees", sum, err, trees)
		}
	}
	whole(3)
	if _, err := s.GC(t.Context(), func(_, key string) bool { return key != "a" }, -time.Hour); err != nil {
		t.Fatal(err)
	}
	if exists(a) {
		t.Error("GC left the tree")
	}
	whole(2)

	// Damage is found in all trees that have the file, and does not spread to those that are made after it.
	if err := os.WriteFile(b+library, []byte("lIbrary"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := plant(t, s, "d")
	if one(b+library, d+library) {
		t.Error("a damaged file came into another tree")
	}
	damaged := map[string]bool{}
	if _, err := s.Verify(t.Context(), true, func(p Problem) { damaged[p.Key] = true }); err != nil || !damaged["b"] || damaged["d"] {
		t.Errorf("Verify finds %v damaged, %v, want b and not d", damaged, err)
	}
	b = plant(t, s, "b")
	if !one(b+library, d+library) {
		t.Error("made anew, the file is not one with its equal")
	}
	clean(t, s)
}

func TestGC(t *testing.T) {
	s := open(t)
	old := time.Now().Add(-30 * 24 * time.Hour)
	age := func(paths ...string) {
		t.Helper()
		for _, p := range paths {
			if err := os.Chtimes(p, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	age(add(t, s, "old"), add(t, s, "old, kept"), add(t, s, "old, used again"))
	add(t, s, "new")
	for _, k := range []string{"old", "old-locked", "old-used"} {
		age(plant(t, s, k) + manifestSuffix)
	}
	plant(t, s, "new")
	if err := os.WriteFile(s.TreePath("orphan")+manifestSuffix, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	age(s.TreePath("orphan") + manifestSuffix)

	// Use renews the age.
	if _, ok := s.File(sum("old, used again")); !ok {
		t.Fatal("the file is gone")
	}
	if _, ok := s.HasTree("old-used"); !ok {
		t.Fatal("the tree is gone")
	}
	unlock, err := s.Lock(t.Context(), "tree-old-locked")
	if err != nil {
		t.Fatal(err)
	}
	keep := func(kind, key string) bool { return kind == KindFile && key == sum("old, kept") }
	c, err := s.GC(t.Context(), keep, 7*24*time.Hour)
	if err != nil || c.Files != (Count{1, 3}) || c.Trees.Count != 1 || c.Trees.Bytes == 0 {
		t.Errorf("GC removed %+v, %v, want one file and one tree", c, err)
	}
	unlock()
	files, trees, err := s.list()
	if err != nil {
		t.Fatal(err)
	}
	wantFiles := []string{sum("old, kept"), sum("old, used again"), sum("new")}
	slices.Sort(wantFiles)
	if !slices.Equal(files, wantFiles) || !slices.Equal(trees, []string{"new", "old-locked", "old-used"}) {
		t.Errorf("GC left %v and %v", files, trees)
	}
	if exists(s.TreePath("orphan") + manifestSuffix) {
		t.Error("a manifest without tree was left")
	}
	clean(t, s)
}

func TestGCWaitsForUse(t *testing.T) {
	s := open(t)
	p := add(t, s, "in use")
	cmd := hang(t, "use", s.Dir())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if c, err := s.GC(ctx, nil, 0); !errors.Is(err, context.DeadlineExceeded) || c != (Collected{}) {
		t.Errorf("GC while a process uses the store: %+v, %v, want it to wait", c, err)
	}
	// Users do not wait for each other.
	release, err := s.Use(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if c, err := s.GC(t.Context(), nil, -time.Minute); err != nil || c.Files.Count != 1 || exists(p) {
		t.Errorf("GC after that: %+v, %v, want the file removed", c, err)
	}
}

// TestGCOfBuilds: a build directory in the store goes when it was not used for a time, and another does not.
func TestGCOfBuilds(t *testing.T) {
	s := open(t)
	old, used := s.BuildPath("a"), s.BuildPath("b")
	for _, dir := range []string{old, used} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "linux"), 0o755), os.WriteFile(filepath.Join(dir, "CACHEDIR.TAG"), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-30 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(old, "CACHEDIR.TAG"), long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GC(t.Context(), nil, 7*24*time.Hour); err != nil || exists(old) || !exists(used) {
		t.Errorf("%v; the old one is there: %v, the other: %v", err, exists(old), exists(used))
	}
	reopen(t, s.Dir()) // build/ is part of a store
}

// TestKeep: what holds the store for its process's life holds it against GC, and not against others that use it.
func TestKeep(t *testing.T) {
	s := open(t)
	p := add(t, s, "in use")
	if err := s.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := reopen(t, s.Dir()).GC(ctx, nil, -time.Minute); !errors.Is(err, context.DeadlineExceeded) || !exists(p) {
		t.Errorf("GC: %v", err)
	}
	release, err := s.Use(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
	// A program that this one starts has the lock too.
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.kept[0].Close()
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := reopen(t, s.Dir()).GC(ctx, nil, -time.Minute); !errors.Is(err, context.DeadlineExceeded) || !exists(p) {
		t.Errorf("GC beside the program: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := reopen(t, s.Dir()).GC(t.Context(), nil, -time.Minute); err != nil || exists(p) {
		t.Errorf("GC afterwards: %v", err)
	}
}

func TestInfo(t *testing.T) {
	s := open(t)
	add(t, s, "12345")
	plant(t, s, "k")
	_, done, err := s.TempDir(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info()
	want := Info{Dir: s.Dir(), Files: Count{1, 5}, Trees: Count{1, int64(len("library") + len(s.TreePath("k")))}, Temporary: Count{1, 0}, Free: info.Free}
	if err != nil || info != want {
		t.Errorf("Info is %+v, %v, want %+v", info, err, want)
	}
	done()
	clean(t, s)
}

// TestTempDirInterrupted: who was interrupted does not wait for the removal of what he has, which a later Open does.
func TestTempDirInterrupted(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	dir, done, err := s.TempDir(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		sub := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		for j := range 300 {
			if err := os.Symlink("x", filepath.Join(sub, fmt.Sprint(j))); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	start := time.Now()
	done()
	if took := time.Since(start); took > time.Second {
		t.Errorf("an interrupted removal took %v", took)
	}
	for exists(dir) { // the removal goes on while this process lives, and may be in the way of the next one's
		reopen(t, s.Dir())
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "store")
	for b.Loop() {
		if _, err := Open(dir); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHasTree(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "store"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Tree(b.Context(), "k", func(_, _ string) error { return nil }); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, ok := s.HasTree("k"); !ok {
			b.Fatal("the tree is gone")
		}
	}
}

// A tree the size of a sysroot, to see what manifest and sync add.
func BenchmarkTree(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "store"))
	if err != nil {
		b.Fatal(err)
	}
	text := bytes.Repeat([]byte("0123456789abcdef"), 1024)
	var write time.Duration
	n := 0
	for b.Loop() {
		n++
		_, err := s.Tree(b.Context(), fmt.Sprint(n), func(tmp, _ string) error {
			start := time.Now()
			for i := range 3000 {
				if err := os.WriteFile(filepath.Join(tmp, fmt.Sprint(i)), text, 0o644); err != nil {
					return err
				}
			}
			write += time.Since(start)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(write.Milliseconds())/float64(n), "ms-writing/op")
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(manifestHead + "l - - \"lib\" \"usr/lib\"\nf 0755 1 \"s\\n\" ab\nd 0755 - \"usr\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := decodeManifest(text)
		if err != nil {
			return
		}
		again, err := decodeManifest(m.encode())
		if err != nil || !slices.Equal(m, again) {
			t.Errorf("%q was read as %v, written and read as %v, %v", text, m, again, err)
		}
	})
}

// TestStaleLock: the lock that a killed process left is removed, one that is held stays.
func TestStaleLock(t *testing.T) {
	s := open(t)
	unlock, err := s.Lock(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir(), "locks/left"), []byte("process 1 (xbuild build)"), 0o644); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s.Dir())
	entries, err := os.ReadDir(filepath.Join(s.Dir(), "locks"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"held", "use"}) {
		t.Errorf("locks %q, want the held one and that of use", names)
	}
	unlock()
	clean(t, s)
}
