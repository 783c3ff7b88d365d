/* What libgcc's unwinder asks the C library for, from GCC 12 on where it was built with glibc 2.35 or later: which object an address lies in, and where
   that object has its unwind information (The GNU C Library, "Dynamic Linker Introspection"). musl has no such function, and dl_iterate_phdr(3) knows the same. */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>
#include <stdint.h>

#if defined __i386__ || defined __arm__
#error "glibc's struct dl_find_object has more members here (bits/dl_find_object.h)"
#endif

struct dl_find_object {
	unsigned long long flags;
	void *map_start, *map_end; /* of the address' object */
	struct link_map *link_map;
	void *eh_frame; /* its PT_GNU_EH_FRAME */
	unsigned long long reserved[7];
};

struct search {
	uintptr_t address;
	struct dl_find_object *result;
};

static int here(struct dl_phdr_info *info, size_t size, void *data) {
	struct search *s = data;
	uintptr_t start = UINTPTR_MAX, end = 0;
	void *eh_frame = NULL;
	int inside = 0;
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD) {
			start = at < start ? at : start;
			end = at + p->p_memsz > end ? at + p->p_memsz : end;
			inside |= s->address >= at && s->address - at < p->p_memsz;
		} else if (p->p_type == PT_GNU_EH_FRAME) {
			eh_frame = (void *)at;
		}
	}
	if (!inside || eh_frame == NULL)
		return 0;
	*s->result = (struct dl_find_object){.map_start = (void *)start, .map_end = (void *)end, .eh_frame = eh_frame};
	return 1;
}

int _dl_find_object(void *address, struct dl_find_object *result) {
	struct search s = {(uintptr_t)address, result};
	return dl_iterate_phdr(here, &s) ? 0 : -1;
}
