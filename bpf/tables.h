/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Capturing containers: the first of what they hold.
 */
#ifndef PYTRACE_TABLES_H
#define PYTRACE_TABLES_H

#include "changes.h"

/* Queues the first items of an array of references. `list`: the object, if that can change. */
static __always_inline void capture_items(struct scratch *scratch, struct value *value, __u64 items,
					  __u64 list, __u8 depth)
{
	__u64 count = WORD(scratch, OB_SIZE);
	__u32 first;

	value->length = count;
	end_value(scratch, value, 0);
	if (count > values.max_items)
		count = values.max_items;
	if (!count || !(depth = depth_below(value, depth)))
		return;
	if (list && !can_watch(scratch, value))
		return;
	asm volatile("" : "+r"(count));
	if (count > ITEMS_LIMIT)
		return;
	if (bpf_probe_read_user(scratch->window, count * 8, (void *)items)) {
		value->detail |= VALUE_TORN;
		return;
	}
	if (list) {
		watch_state(scratch, scratch->current, list);
		watch_window(scratch, scratch->current, items, count * 8);
	}
	first = scratch->tail;
	for (__u32 i = 0; i < ITEMS_LIMIT && i < count; i++)
		queue_object(scratch, scratch->window[i], depth);
	value->children = scratch->tail - first;
}

/* 1 if a word is not 0. Without a branch, which clang would make of anything plainer: with two ways
 * through each round of a loop, the verifier has 2^32 of them before it. */
static __always_inline __u64 is_set(__u64 word)
{
	__u64 negated = -word;

	asm volatile("" : "+r"(negated));
	return (word | negated) >> 63;
}

/* Queues what was picked from a table, up to a limit; returns how much that is, with TABLE_HAS_MORE
 * where more was picked. `keys`: what the depth of every other one, from the first on, has beside: DEPTH_NAME
 * where these are keys. Not static, as pick_entries(). */
__noinline int queue_picked(scratch_arg passed, __u32 found, __u32 limit, __u32 depth, __u32 keys)
{
	struct scratch *scratch = passed_scratch(passed);
	__u32 first;

	if (!values.wanted || !scratch)
		return 0;
	first = scratch->tail;
	for (__u32 i = 0; i < 2 * ITEMS_LIMIT; i++) {
		if (i >= limit || i >= found)
			break;
		queue_object(scratch, scratch->picked[i], i & 1 ? depth : depth | keys);
	}
	return (scratch->tail - first) | (found > limit ? TABLE_HAS_MORE : 0);
}

/*
 * Reads in which order values were put beside the keys that a class's instances share, 3.11+; how many
 * there are, or 0 where that is not known: then they are taken in the order of the keys. 3.11 and 3.12
 * have it before the values, backwards, with the number first; since 3.13 it is behind them, where
 * PyDictValues.capacity says (Include/internal/pycore_dict.h: _PyDictValues_AddToInsertionOrder,
 * get_insertion_order_array).
 */
static __always_inline __u32 read_order(struct scratch *scratch, __u64 array)
{
	__u8 head[2] = {};
	__u32 count;

	if (values.attributes == ATTRIBUTES_3_6)
		return 0;
	if (values.attributes == ATTRIBUTES_3_13) {
		/* capacity and size */
		if (bpf_probe_read_user(head, 2, (void *)(array - values.values_items)) ||
		    bpf_probe_read_user(scratch->order, ENTRIES_MAX_READ,
					(void *)(array + head[0] * 8UL)))
			return 0;
		count = head[1];
	} else {
		if (bpf_probe_read_user(head, 1, (void *)(array - 2)) ||
		    bpf_probe_read_user(scratch->backwards, ENTRIES_MAX_READ,
					(void *)(array - 2 - ENTRIES_MAX_READ)))
			return 0;
		for (int i = 0; i < ENTRIES_MAX_READ; i++)
			scratch->order[i] = scratch->backwards[ENTRIES_MAX_READ - 1 - i];
		count = head[0];
	}
	return count > ENTRIES_MAX_READ ? 0 : count;
}

/* Watches the values that were read apart from their keys. */
static __always_inline void watch_values(struct scratch *scratch, __u64 address, __u64 bytes)
{
	__u64 sum = 0;

	if (!FREE_THREADED)
		return;
	for (__u32 i = 0; i < ENTRIES_MAX_READ && i < bytes / sizeof(__u64); i++)
		sum = add_word(sum, scratch->values[i]);
	watch_sum(scratch, scratch->current, address, bytes, sum);
}

/* The order in which a table's entries lie. */
static __always_inline void order_as_they_lie(struct scratch *scratch)
{
	__u64 *order = (__u64 *)scratch->order, eight = 0x0706050403020100UL;

	_Static_assert(sizeof(scratch->order) == ENTRIES_MAX_READ, "it has a place for each");
	for (int i = 0; i < ENTRIES_MAX_READ / 8; i++, eight += 0x0808080808080808UL)
		order[i] = eight;
}

/*
 * Picks keys and what they hold from the entries of a table that were read, in their order: those that are
 * there. Returns how many words that is. `beside`: all bits set, or none where what they hold is not beside
 * the keys but in `values`.
 *
 * Not static, and without a branch for what differs between tables: the verifier then looks at the loop
 * once, and not for each kind of table.
 */
__noinline int pick_entries(scratch_arg passed, __u64 form, __u64 beside)
{
	struct scratch *scratch = passed_scratch(passed);
	__u32 found = 0;

	if (!values.wanted || !scratch)
		return 0;
	for (__u32 i = 0; i < ENTRIES_MAX_READ && i < FORM_COUNT(form); i++) {
		__u32 place = scratch->order[i] & (ENTRIES_MAX_READ - 1);
		__u32 at = FORM_KEY(form) + place * FORM_WORDS(form);
		__u64 key = scratch->window[at & (WINDOW_WORDS - 1)];
		__u64 held = scratch->window[(at + 1) & (WINDOW_WORDS - 1)];
		__u64 elsewhere = scratch->values[place];

		held = elsewhere ^ ((held ^ elsewhere) & beside);
		scratch->picked[found & (PICKED_MAX - 1)] = key;
		scratch->picked[(found + 1) & (PICKED_MAX - 1)] = held;
		found += 2 * (is_set(key) & is_set(held));
	}
	return found;
}

/*
 * Reads the first entries of a table, and in which order they are to be taken. `apart`: where what they hold is,
 * if not beside the keys. Returns the form of what was read, for pick_entries(), which counts the entries that
 * there are, maybe more than ENTRIES_MAX_READ, or those that are set, where their order is known; -1 where they
 * can't be read.
 *
 * Not static, with plain numbers: the verifier then looks at it once, and not for each caller. It calls neither
 * pick_entries() nor queue_picked() itself, for want of room on the stack.
 */
__noinline __s64 read_table(scratch_arg passed, __u64 entries, __u64 form, __u64 apart)
{
	struct scratch *scratch = passed_scratch(passed);
	__u32 count = FORM_COUNT(form), words = FORM_WORDS(form) == 3 ? 3 : 2, ordered = 0;
	__u64 bytes;

	if (!values.wanted || !scratch)
		return 0;
	bytes = (__u64)(count > ENTRIES_MAX_READ ? ENTRIES_MAX_READ : count) * words * 8;
	asm volatile("" : "+r"(bytes));
	if (!bytes || bytes > sizeof(scratch->window))
		return 0;
	if (bpf_probe_read_user(scratch->window, bytes, (void *)entries))
		return -1;
	if (!apart) /* else the keys are shared, which are only ever added to */
		watch_window(scratch, scratch->current, entries, bytes);
	if (apart) {
		bytes = (__u64)(count > ENTRIES_MAX_READ ? ENTRIES_MAX_READ : count) * 8;
		asm volatile("" : "+r"(bytes));
		if (bytes > ENTRIES_MAX_READ * 8)
			return 0;
		if (bpf_probe_read_user(scratch->values, bytes, (void *)apart))
			return -1;
		watch_values(scratch, apart, bytes);
		ordered = read_order(scratch, apart);
	}
	if (ordered)
		count = ordered;
	else
		order_as_they_lie(scratch);
	return FORM(count, words, FORM_KEY(form));
}

/* Queues the first items of a table, names or keys and what they hold, as the children of a value, whose
 * length becomes that of what is there, or one more than what was taken, if it has none yet. */
static __always_inline void capture_table(struct scratch *scratch, struct value *value,
					  const struct dict_items *items, __u64 apart, __u8 depth)
{
	__s64 form = read_table(pass_scratch(scratch), items->entries,
				FORM(items->count, items->words, items->key), apart);
	__u32 found, taken;

	if (form < 0) {
		value->detail |= VALUE_TORN;
		return;
	}
	found = pick_entries(pass_scratch(scratch), form, apart ? 0 : -1UL);
	taken = queue_picked(pass_scratch(scratch), found, 2 * values.max_items, depth, DEPTH_NAME);
	if (FORM_COUNT(form) > ENTRIES_MAX_READ)
		taken |= TABLE_HAS_MORE;
	value->children = taken & ~TABLE_HAS_MORE;
	if (!value->length) /* of a class's shared keys, nobody counts who has them */
		value->length = value->children / 2 + !!(taken & TABLE_HAS_MORE);
}

/* Captures the items of the dict whose head was read. */
static __always_inline void capture_dict_items(struct scratch *scratch, struct value *value,
					       __u64 dict, __u8 depth)
{
	struct dict_items *items;
	__u64 apart = 0;

	if (!can_watch(scratch, value))
		return;
	watch_state(scratch, scratch->current, dict);
	items = read_dict_keys(scratch, WORD(scratch, values.dict_keys));
	if (!items) {
		value->detail |= VALUE_TORN;
		return;
	}
	if (WORD(scratch, values.dict_values))
		apart = WORD(scratch, values.dict_values) + values.values_items;
	capture_table(scratch, value, items, apart, depth);
}

static __always_inline void capture_dict(struct scratch *scratch, struct value *value, __u64 object,
					 __u8 depth)
{
	value->length = WORD(scratch, values.dict_used);
	end_value(scratch, value, 0);
	if (value->length && (depth = depth_below(value, depth)))
		capture_dict_items(scratch, value, object, depth);
}

/* Queues up to `limit` of the first keys of a set's table, which has each with its hash. Returns how many,
 * with TABLE_HAS_MORE where there are others among the first entries, or -1 where they can't be read. Not
 * static, as pick_entries(). */
__noinline int queue_keys(scratch_arg passed, __u64 table, __u64 count, __u64 depth, __u64 limit)
{
	struct scratch *scratch = passed_scratch(passed);
	__u32 found = 0;
	__u64 bytes;

	if (!values.wanted || !scratch)
		return 0;
	bytes = count > ENTRIES_MAX_READ ? ENTRIES_MAX_READ * 16 : count * 16;
	asm volatile("" : "+r"(bytes));
	if (bytes > ENTRIES_MAX_READ * 16)
		return 0;
	if (bpf_probe_read_user(scratch->window, bytes, (void *)table))
		return -1;
	watch_window(scratch, scratch->current, table, bytes);
	for (__u32 i = 0; i < ENTRIES_MAX_READ && i < count; i++) {
		__u64 key = scratch->window[i * 2], hash = scratch->window[i * 2 + 1];

		scratch->picked[found & (PICKED_MAX - 1)] = key;
		found += is_set(key) & is_set(hash ^ SET_DUMMY_HASH);
	}
	return queue_picked(pass_scratch(scratch), found, limit, depth, 0);
}

static __always_inline void capture_set(struct scratch *scratch, struct value *value, __u64 object,
					__u8 depth)
{
	__u64 table, count;
	__u32 taken = 0;

	value->length = WORD(scratch, values.set_used);
	end_value(scratch, value, 0);
	if (!value->length || !(depth = depth_below(value, depth)))
		return;
	if (!can_watch(scratch, value))
		return;
	watch_state(scratch, scratch->current, object);
	table = WORD(scratch, values.set_table);
	count = WORD(scratch, values.set_mask) + 1;
	for (int i = 0; i < SET_WINDOWS; i++) {
		if (FREE_THREADED && scratch->watched >= WATCHED_MAX)
			break; /* what more there is shows as cut off */
		int found = queue_keys(pass_scratch(scratch), table, count, depth,
				       values.max_items - taken);

		if (found < 0) {
			value->detail |= VALUE_TORN;
			break;
		}
		taken += found & ~TABLE_HAS_MORE;
		if (taken >= values.max_items || count <= ENTRIES_MAX_READ)
			break;
		table += ENTRIES_MAX_READ * 16;
		count -= ENTRIES_MAX_READ;
	}
	value->children = taken;
}

#endif
