package answer

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// A version is what a path is: where it is a link, also what that leads to. Of a directory whose names were not read,
// and of a device, the times say nothing.
type version struct {
	err, thereErr unix.Errno // of the path itself, and of what a link leads to
	self, there   unix.Stat_t
	link          bool
	listed        bool
}

// versionSize is more than what one or two stat take.
const versionSize = 2 * 12 * 8

// versionOf is the version of a path, which has a NUL behind it.
func versionOf(name []byte, listed bool) version {
	v := version{listed: listed}
	if v.err = stat(name, &v.self, unix.AT_SYMLINK_NOFOLLOW); v.err == 0 && v.self.Mode&unix.S_IFMT == unix.S_IFLNK {
		v.link = true
		v.thereErr = stat(name, &v.there, 0)
	}
	return v
}

// found is what the path leads to; false where there is nothing.
func (v *version) found() (unix.Stat_t, bool) {
	if v.link {
		return v.there, v.thereErr == 0
	}
	return v.self, v.err == 0
}

// append writes all that tells the version from another one.
func (v *version) append(b []byte) []byte {
	b = appendStat(b, &v.self, v.err, v.listed)
	if v.link {
		b = appendStat(b, &v.there, v.thereErr, v.listed)
	}
	return b
}

func appendStat(b []byte, st *unix.Stat_t, err unix.Errno, listed bool) []byte {
	if b = binary.LittleEndian.AppendUint64(b, uint64(err)); err != 0 {
		return b
	}
	numbers := []uint64{uint64(st.Dev), st.Ino, uint64(st.Mode), uint64(st.Uid)<<32 | uint64(st.Gid), uint64(st.Rdev)}
	if timed(st, listed) {
		numbers = append(numbers, uint64(st.Size), uint64(st.Mtim.Nano()), uint64(st.Ctim.Nano()))
	}
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// timed tells whether the times of a file tell its versions apart.
func timed(st *unix.Stat_t, listed bool) bool {
	kind := st.Mode & unix.S_IFMT
	return kind == unix.S_IFREG || kind == unix.S_IFLNK || kind == unix.S_IFDIR && listed
}

// changed is the latest time at which something of the version changed that tells versions apart.
func (v *version) changed() time.Time {
	var last time.Time
	of := func(st *unix.Stat_t) {
		if t := time.Unix(st.Ctim.Unix()); timed(st, v.listed) && t.After(last) {
			last = t
		}
	}
	if v.err == 0 {
		of(&v.self)
	}
	if v.link && v.thereErr == 0 {
		of(&v.there)
	}
	return last
}
