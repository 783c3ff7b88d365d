package compose

import "fmt"

// pagesSite answers configure scripts that want to know how large a page of memory is, to compile it in: as large as
// on any kernel for the platform. Without it they ask the build machine, or take 4 KB where they cannot run a
// program. They are jemalloc's (je_cv_lg_page, before release 4 je_cv_static_page_shift), which takes that answer
// before its own option, and erofs-utils' (whose variable MAX_BLOCK_SIZE goes before the answer by itself). jemalloc
// reads the size of huge pages in the build machine's /proc/meminfo, whatever it is configured for: it gets its own
// default, 2 MB.
func (v View) pagesSite() string {
	if v.Platform.Page() == 0 {
		return ""
	}
	return fmt.Sprintf(`if test "x$with_lg_page" = x; then : "${je_cv_lg_page=%[1]d}" "${je_cv_static_page_shift=%[1]d}"; fi
: "${with_lg_hugepage=21}" "${erofs_cv_max_block_size=%[2]d}"
`, v.Platform.LgPage(), v.Platform.Page())
}

// relroPages has lld end what is read-only after the start (RELRO) at the end of the platform's largest page. By
// itself lld ends it at one of 4 KB, and ld.so, which protects whole pages alone (glibc's _dl_protect_relro), then
// protects nothing where pages are larger. It costs addresses and no bytes.
func (v View) relroPages() string {
	if len(v.Platform.Pages) < 2 {
		return ""
	}
	return fmt.Sprintf("-Wl,-z,common-page-size=%d\n", v.Platform.Page())
}
