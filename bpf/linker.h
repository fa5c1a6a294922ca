/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The libraries that a process has mapped, as its dynamic linker tells debuggers: a list that starts in
 * `struct r_debug` (glibc, elf/link.h; musl, include/link.h).
 */
#ifndef PYTRACE_LINKER_H
#define PYTRACE_LINKER_H

#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

/* More libraries than these are not looked through, nor longer paths: any of them may be CPython's. */
#define LIBRARIES_MAX	 512
#define LIBRARY_PATH_MAX 256

/* struct r_debug's r_map, and the start of struct link_map. */
#define R_MAP 8
struct link_map {
	__u64 address;
	__u64 name;
	__u64 dynamic;
	__u64 next;
};

/* "bpython3", as the last bytes that were read, the first of them on top. */
#define MARK 0x62707974686f6e33UL

/* Whether a library may be CPython's: `libpython3` is in its path. User space looks closer, and lets go
 * whoever was held in vain. */
__noinline int may_be_libpython(__u64 path)
{
	char text[LIBRARY_PATH_MAX] = {};
	long length = bpf_probe_read_user_str(text, sizeof(text), (void *)path);
	__u64 last = 0;

	if (length < 0)
		return false;
	if (length == LIBRARY_PATH_MAX)
		return true; /* and may go on */
	for (int i = 0; i < LIBRARY_PATH_MAX && text[i]; i++) {
		last = last << 8 | (__u8)text[i];
		if (last == MARK)
			return true;
	}
	return false;
}

/* Whether one of the libraries that are mapped may be CPython's. */
__noinline int may_have_libpython(__u64 r_debug)
{
	struct link_map map = {};

	if (bpf_probe_read_user(&map.next, sizeof(map.next), (void *)(r_debug + R_MAP)))
		return false;
	for (int i = 0; i < LIBRARIES_MAX && map.next; i++) {
		if (bpf_probe_read_user(&map, sizeof(map), (void *)map.next))
			return false;
		if (may_be_libpython(map.name))
			return true;
	}
	return map.next;
}

#endif
