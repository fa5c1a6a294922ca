/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Capturing the attributes of instances, wherever their class keeps them.
 */
#ifndef PYTRACE_INSTANCES_H
#define PYTRACE_INSTANCES_H

#include "tables.h"
#include "types.h"

/* Attributes that lie in an array, whose names the class has for all of its instances. */
static __always_inline void capture_values(struct scratch *scratch, struct value *value, __u64 type,
					   __u64 array, __u8 depth)
{
	struct dict_items *items;

	items = read_dict_keys(scratch, read_pointer(type + values.heap_cached_keys));
	if (items)
		capture_table(scratch, value, items, array + values.values_items, depth);
}

static __always_inline void capture_attributes_of(struct scratch *scratch, struct value *value,
						  __u64 dict, __u8 depth)
{
	if (!read_head(scratch, dict)) {
		value->detail |= VALUE_TORN;
		return;
	}
	value->length = WORD(scratch, values.dict_used);
	capture_dict_items(scratch, value, dict, depth);
}

/* Where an instance's dict is, by the type's tp_dictoffset: from the object's end if that is
 * negative (_PyObject_GetDictPtr, Objects/object.c). */
static __always_inline __u64 dict_place(__u64 object, const struct type_state *state)
{
	__s64 size, count;

	if (state->dict_offset >= 0)
		return object + state->dict_offset;
	count = read_pointer(object + OB_SIZE);
	if (values.int_has_tag && state->itemsize == 4) /* an int's size is in its tag */
		count = (__u64)count >> INT_TAG_SHIFT;
	if (count < 0)
		count = -count;
	if (count > 1 << 16)
		return 0;
	size = state->basicsize + count * state->itemsize;
	return object + ((size + 7) & ~7L) + state->dict_offset;
}

/* Watches what an instance with slots has behind its head, or the first of it. */
static __always_inline void watch_slots(struct scratch *scratch, __u64 object, __u64 basicsize)
{
	__u64 bytes = basicsize - OB_SIZE;

	if (!FREE_THREADED)
		return;
	if (bytes > sizeof(scratch->window))
		bytes = sizeof(scratch->window);
	asm volatile("" : "+r"(bytes));
	if (bytes <= sizeof(scratch->window) &&
	    !bpf_probe_read_user(scratch->window, bytes, (void *)(object + OB_SIZE)))
		watch_window(scratch, scratch->current, object + OB_SIZE, bytes);
}

/* An instance's attributes, as its class's version keeps them. */
__noinline int capture_instance(scratch_arg passed, __u64 object, __u64 type)
{
	struct scratch *scratch = passed_scratch(passed);
	struct type_key key = {.type = type};
	struct type_state *state;
	struct value *value;
	__u64 word, array;
	__u8 depth, valid = 1;

	if (!values.wanted || !scratch)
		return 0;
	key.tgid = scratch->id >> 32;
	state = bpf_map_lookup_elem(&types, &key);
	if (!state)
		return 0;
	/* it has been ended, empty: its place is before what is used */
	value = value_at(scratch, scratch->used - sizeof(*value));
	depth = scratch->depth[(scratch->next - 1) & (QUEUE_MAX - 1)];
	if (!(state->transparent && values.max_depth) && !(depth = depth_below(value, depth)))
		return 0;
	if (!can_watch(scratch, value))
		return 0;
	switch (state->attributes) {
	case ATTRIBUTES_DICT:
		array = dict_place(object, state);
		word = array ? read_pointer(array) : 0;
		watch_pointer(scratch, scratch->current, array, word);
		if (word)
			capture_attributes_of(scratch, value, word, depth);
		break;
	case ATTRIBUTES_MANAGED:
		word = read_pointer(object - values.managed_dict);
		watch_pointer(scratch, scratch->current, object - values.managed_dict, word);
		if (values.attributes == ATTRIBUTES_3_11) {
			array = read_pointer(object - values.managed_values);
			if (array)
				capture_values(scratch, value, type, array, depth);
			else if (word)
				capture_attributes_of(scratch, value, word, depth);
		} else if (values.attributes == ATTRIBUTES_3_12 && word & 1) {
			/* one less than where the values are */
			capture_values(scratch, value, type, word + 1, depth);
		} else if (word) {
			capture_attributes_of(scratch, value, word, depth);
		}
		break;
	case ATTRIBUTES_INLINE:
		array = object + state->basicsize;
		bpf_probe_read_user(&valid, 1, (void *)(array + values.values_valid));
		word = read_pointer(object - values.managed_dict);
		watch_pointer(scratch, scratch->current, object - values.managed_dict, word);
		if (word)
			capture_attributes_of(scratch, value, word, depth);
		else if (valid)
			capture_values(scratch, value, type, array, depth);
		break;
	default:
		if (state->slots) {
			__u32 first = scratch->tail;

			watch_slots(scratch, object, state->basicsize);
			value->detail |= VALUE_SLOTS;
			value->length = state->slots + state->hidden;
			for (__u32 i = 0; i < SLOTS_MAX; i++) {
				if (i >= state->slots)
					break;
				queue_object(scratch, read_pointer(object + state->slot[i]), depth);
			}
			value->children = scratch->tail - first;
		}
	}
	if (state->hidden && state->attributes)
		value->length++;
	return 0;
}

#endif
