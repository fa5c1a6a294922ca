/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the items of a dict, and attributes of instances, which lie in the same tables
 * (Objects/dictobject.c).
 */
#ifndef PYTRACE_DICTS_H
#define PYTRACE_DICTS_H

#include "python.h"
#include "scratch.h"

const volatile struct value_plan values;

/* enum DictKeysKind, 3.11+ */
#define KEYS_GENERAL 0
#define KEYS_SPLIT   2

/* __module__ is the first item that a class statement puts into a class's dict. Others have it
 * somewhere: it is looked for so far. */
#define MODULE_PLACE 48

/* A dict's PyDictKeysObject; NULL where it can't be read. */
static __always_inline struct dict_items *read_dict_keys(struct scratch *scratch, __u64 keys)
{
	struct dict_items *items = &scratch->items;
	__u8 *head = (__u8 *)scratch->keys_head;
	__u64 index_bytes;

	if (!keys || bpf_probe_read_user(head, values.keys_header, (void *)keys))
		return NULL;
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
	return items;
}

/* The str that a class's dict has as its __module__; 0: none. */
__noinline __u64 find_module(scratch_arg passed, __u64 dict)
{
	struct scratch *scratch = passed_scratch(passed);
	struct dict_items *items;

	if (!values.wanted || !scratch || !dict)
		return 0;
	items = read_dict_keys(scratch, read_pointer(dict + values.dict_keys));
	if (!items)
		return 0;
	for (__u32 i = 0; i < MODULE_PLACE && i < items->count; i++) {
		__u64 entry = items->entries + (__u64)i * items->words * 8 + items->key * 8;
		__u64 *text = scratch->head;

		text[0] = text[1] = 0;
		bpf_probe_read_user(text, 11, (void *)(read_pointer(entry) + plan.str_ascii));
		/* "__module", "__" */
		if (text[0] == 0x656c75646f6d5f5f && text[1] == 0x5f5f)
			return read_pointer(entry + 8);
	}
	return 0;
}

#endif
