package object

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
	"time"
)

// bounded reads a file in both ways, from memory and by pieces. It fails where that takes more time or memory than the
// file's size allows, or ends with an error of another kind.
func bounded(t testing.TB, data []byte, read func(*Source) error) {
	t.Helper()
	for _, s := range []*Source{Memory(data), NewSource(bytes.NewReader(data), int64(len(data)))} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := read(s)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDamaged) {
			t.Fatalf("an error of another kind: %v", err)
		}
		if grew := after.TotalAlloc - before.TotalAlloc; grew > 64*uint64(len(data))+8<<20 {
			t.Fatalf("%d kB allocated for a file of %d kB", grew>>10, len(data)>>10)
		}
		if took > 10*time.Second {
			t.Fatalf("took %v", took)
		}
	}
}

func readAr(s *Source) error {
	for m, err := range Members(s) {
		if err != nil {
			return err
		}
		if _, err := s.Part(m.Offset, m.Size); err != nil {
			return err
		}
	}
	return nil
}

func FuzzAr(f *testing.F) {
	f.Add(gnuArchive(false))
	f.Add(gnuArchive(true))
	f.Add([]byte("!<arch>\n/               0           0     0     0       4         `\n\x00\x00\x00\x00"))
	f.Add([]byte("!<thin>\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, data, readAr)
		bounded(t, data, func(*Source) error {
			ArchiveIndex(data)
			return nil
		})
		listed(t, data)
	})
}
