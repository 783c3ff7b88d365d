package archive

import "golang.org/x/sys/unix"

// newWindow is memory beside that of which garbage is collected: the collector waits until there is twice as much as is
// in use, and these are most of it.
func newWindow(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func freeWindow(win []byte) { unix.Munmap(win) } // of what newWindow returned, which cannot fail
