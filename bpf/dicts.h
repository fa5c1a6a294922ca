/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the items of a dict, and attributes of instances, which lie in the same tables
 * (Objects/dictobject.c).
 */
#ifndef PYTRACE_DICTS_H
#define PYTRACE_DICTS_H

#include "python.h"

const volatile struct value_plan values;

/* PyVarObject.ob_size, in every version. */
#define OB_SIZE 16

/* enum DictKeysKind, 3.11+ */
#define KEYS_GENERAL 0
#define KEYS_SPLIT   2

/* __module__ is the first item that a class statement puts into a class's dict. Others have it
 * somewhere: it is looked for so far. */
#define MODULE_PLACE 48

/* A table of keys: what follows its indices. */
struct dict_items {
	__u64 entries; /* address of the first */
	__u32 count; /* of entries in use, deleted ones included */
	__u32 words; /* of an entry */
	__u32 key; /* the word that has the key; the value's is the next */
	__u32 split; /* 3.11+: values are elsewhere */
};

/* A dict's PyDictKeysObject. */
static __always_inline bool read_dict_keys(struct dict_items *items, __u64 keys)
{
	__u8 head[40] __attribute__((aligned(8)));
	__u64 index_bytes;

	if (!keys || bpf_probe_read_user(head, values.keys_header, (void *)keys))
		return false;
	if (values.keys_kind) {
		index_bytes = 1UL << (head[values.keys_log2_index_bytes] & 63);
		items->words = head[values.keys_kind] == KEYS_GENERAL ? 3 : 2;
		items->key = head[values.keys_kind] == KEYS_GENERAL ? 1 : 0;
		items->split = head[values.keys_kind] == KEYS_SPLIT;
	} else { /* up to 3.10 */
		__u64 size = *(__u64 *)(head + values.keys_size);

		index_bytes = size <= 0xff ? size : size <= 0xffff ? size * 2 : size * 4;
		items->words = 3;
		items->key = 1;
		items->split = 0;
	}
	items->count = *(__u64 *)(head + values.keys_entries_count);
	items->entries = keys + values.keys_header + index_bytes;
	return true;
}

/* The str that a class's dict has as its __module__; 0: none. */
__noinline __u64 find_module(__u64 dict)
{
	struct dict_items items;

	if (!dict || !read_dict_keys(&items, read_pointer(dict + values.dict_keys)))
		return 0;
	for (__u32 i = 0; i < MODULE_PLACE && i < items.count; i++) {
		__u64 entry = items.entries + (__u64)i * items.words * 8;
		__u64 key = read_pointer(entry + items.key * 8), text[2] = {};

		bpf_probe_read_user(text, 11, (void *)(key + plan.str_ascii));
		/* "__module", "__" */
		if (text[0] == 0x656c75646f6d5f5f && text[1] == 0x5f5f)
			return read_pointer(entry + items.key * 8 + 8);
	}
	return 0;
}

#endif
