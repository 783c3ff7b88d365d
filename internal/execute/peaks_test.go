package execute

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"xbuild/internal/action"
)

// TestPeaks: what a step took is known the next time, for other platforms and after a change too, and steps that take
// more than there is together run one after another.
func TestPeaks(t *testing.T) {
	b := newBench(t)
	b.opt.Blind = true // all is built every time
	b.opt.Memory = 1 << 30
	const large = "dd if=/dev/zero of=/dev/null bs=600M count=1 2>/dev/null; "
	one := b.action("t", "linux/arm64", "out", large+"echo x > out", "echo y >> out")
	b.one(one)
	peaks := readPeaks(one)
	if n := peaks[stepOf(one, one.Steps[0])]; len(peaks) != 1 || n < 600<<20 || n > 700<<20 {
		t.Fatalf("%v, want about 600 MB of the first step alone", peaks)
	}
	text := fmt.Sprintf("touch %[1]s/run-$$; ls %[1]s | grep -c run- >> %[1]s/counts; sleep 0.3; rm %[1]s/run-$$; echo x > out", b.dir)
	most := func(actions ...*action.Action) (all string) {
		os.Remove(filepath.Join(b.dir, "counts"))
		for _, r := range b.run(actions...) {
			if r.Err != nil {
				t.Fatal(r.Err, r.Log)
			}
		}
		for _, n := range strings.Fields(b.read("counts")) {
			all = max(all, n)
		}
		return all
	}
	again := b.action("t", "linux/arm64", "out", text, "echo y >> out")
	other := b.action("t", "linux/386", "out", text, "echo y >> out")
	small := b.action("u", "linux/386", "small", "true", strings.ReplaceAll(text, "> out", "> small"))
	if n := most(again, other); n != "1" {
		t.Errorf("%s steps of 600 MB run at once, of 1 GB", n)
	}
	if peaks := readPeaks(again); len(peaks) != 0 {
		t.Errorf("of a step that takes little now %v is left", peaks)
	}
	if n := most(again, other, small); n == "1" {
		t.Error("steps that take little wait for each other")
	}
	b.opt.Memory = 1 << 28
	if r := b.one(one); r.Err != nil {
		t.Errorf("a step that takes more than there is: %v", r.Err)
	}
	b.one(one)
	if n := readPeaks(one)[stepOf(one, one.Steps[0])]; n < 600<<20 {
		t.Errorf("%d bytes, want about 600 MB", n)
	}
}
