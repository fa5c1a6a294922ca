/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Capturing objects: what they are and what they hold, raw, into a record. No code of the target
 * runs; whatever is read may be anything, so that every number is bounded before its use.
 *
 * Objects are taken from a queue, roots first, and what they refer to is put at its end. That needs
 * no recursion, and what a bound cuts off is what lies deepest.
 */
#ifndef PYTRACE_VALUES_H
#define PYTRACE_VALUES_H

#include "dicts.h"
#include "scratch.h"
#include "types.h"

/* The same from 3.6 to 3.15. */
#define CELL_CONTENTS	   16
#define STR_COMPACT(state) ((state) >> 5 & 1)
#define STR_ASCII(state)   ((state) >> 6 & 1)
#define STR_KIND(state)	   ((state) >> 2 & 7)

/* 3.12+: long_value.lv_tag (Include/cpython/longintrepr.h). */
#define INT_TAG_SIGN	 3
#define INT_TAG_NEGATIVE 2
#define INT_TAG_SHIFT	 3

/* _PyStackRef, 3.14+ (Include/internal/pycore_stackref.h): an int in the reference itself. */
#define TAGGED_INT	 3
#define TAGGED_INT_SHIFT 2

/* Entries of a dict or a set that are looked at for its first items. */
#define ENTRIES_MAX_READ 32
/* Sets are sparse: so many times that. */
#define SET_WINDOWS 8
/* The dummy of a set's deleted entry, and no other key, has this hash (Objects/setobject.c). */
#define SET_DUMMY_HASH (~0UL)

/* Of a queued object, beside its depth: that it is not looked into; that it is a _PyStackRef. */
#define DEPTH_SHALLOW 0x80
#define DEPTH_REF     0x40
/* And of a str, that it is a name or a key: those are not cut as other strings are, since by them
 * user space decides what must not be stored. */
#define DEPTH_NAME 0x20

/* What a table looks like, in one number: see struct dict_items. */
#define FORM(count, words, key) ((__u64)(words) << 40 | (__u64)(key) << 32 | (count))
#define FORM_COUNT(form)	((__u32)(form))
#define FORM_KEY(form)		((form) >> 32 & 1)
#define FORM_WORDS(form)	((form) >> 40)
#define TABLE_HAS_MORE		(1 << 16)

#define WORD(scratch, offset) ((scratch)->head[(offset) / 8])

static __always_inline void queue_object(struct scratch *scratch, __u64 object, __u8 depth)
{
	__u32 tail = scratch->tail;

	if (tail >= QUEUE_MAX)
		return;
	scratch->queue[tail & (QUEUE_MAX - 1)] = object;
	scratch->depth[tail & (QUEUE_MAX - 1)] = depth;
	scratch->tail = tail + 1;
}

static __always_inline struct value *value_at(struct scratch *scratch, __u32 at)
{
	return (struct value *)(scratch->data + (at & (DATA_MAX - 1) & ~7U));
}

static __always_inline __u64 *data_of(struct value *value)
{
	return (__u64 *)(value + 1);
}

/* Ends a value that has so many bytes of data. */
static __always_inline void end_value(struct scratch *scratch, struct value *value, __u32 bytes)
{
	bytes = (sizeof(*value) + bytes + 7) & ~7U;
	value->bytes = bytes;
	scratch->used += bytes;
}

static __always_inline void capture_int(struct scratch *scratch, struct value *value, __u64 object)
{
	__u64 word = WORD(scratch, OB_SIZE), digits, *data = data_of(value);
	bool negative;

	if (values.int_has_tag) {
		negative = (word & INT_TAG_SIGN) == INT_TAG_NEGATIVE;
		digits = (word & INT_TAG_SIGN) == 1 ? 0 : word >> INT_TAG_SHIFT;
	} else {
		negative = (__s64)word < 0;
		digits = negative ? -word : word;
	}
	if (negative)
		value->detail |= VALUE_NEGATIVE;
	value->length = digits;
	if (digits <= INT_DIGITS) {
		for (int i = 0; i < 5; i++)
			data[i] = scratch->head[values.int_digits / 8 + i];
		end_value(scratch, value, digits * 4);
		return;
	}
	data[0] = data[1] = 0;
	if (bpf_probe_read_user(
		    data, INT_TOP_DIGITS * 4,
		    (void *)(object + values.int_digits + (digits - INT_TOP_DIGITS) * 4)))
		value->detail |= VALUE_TORN;
	end_value(scratch, value, INT_TOP_DIGITS * 4);
}

/* Copies the first of a value's bytes from where they are. */
static __always_inline void capture_bytes(struct scratch *scratch, struct value *value,
					  __u64 address, __u64 bytes)
{
	if (bytes > STRING_BYTES_MAX)
		bytes = STRING_BYTES_MAX;
	asm volatile("" : "+r"(bytes));
	if (bytes > STRING_BYTES_MAX)
		return;
	if (bytes && bpf_probe_read_user(data_of(value), bytes, (void *)address)) {
		value->detail |= VALUE_TORN;
		bytes = 0;
	}
	end_value(scratch, value, bytes);
}

static __always_inline void capture_str(struct scratch *scratch, struct value *value, __u64 object,
					__u32 limit)
{
	__u64 length = WORD(scratch, STR_LENGTH), characters = length, bytes, address;
	__u32 state = WORD(scratch, STR_STATE), width = STR_KIND(state);

	value->length = length;
	if (width != 1 && width != 2 && width != 4) {
		/* what is no str, or one in wchar_t that nobody has asked for (up to 3.11) */
		value->detail |= VALUE_TORN | 1;
		end_value(scratch, value, 0);
		return;
	}
	value->detail |= width;
	if (characters > limit)
		characters = limit;
	bytes = characters * width;
	if (STR_COMPACT(state) && STR_ASCII(state)) {
		if (bytes <= HEAD_WORDS * 8 - plan.str_ascii) {
			__u64 *data = data_of(value);

			data[0] = scratch->head[plan.str_ascii / 8];
			data[1] = scratch->head[plan.str_ascii / 8 + 1];
			if (plan.str_ascii / 8 + 2 < HEAD_WORDS)
				data[2] = scratch->head[plan.str_ascii / 8 + 2];
			end_value(scratch, value, bytes);
			return;
		}
		address = object + plan.str_ascii;
	} else if (STR_COMPACT(state)) {
		address = object + plan.str_compact;
	} else {
		address = read_pointer(object + values.str_wide_data);
	}
	capture_bytes(scratch, value, address, bytes);
}

static __always_inline void capture_sized(struct scratch *scratch, struct value *value,
					  __u64 address)
{
	__u64 bytes = WORD(scratch, OB_SIZE);

	value->length = bytes;
	if (bytes > scratch->max_string)
		bytes = scratch->max_string;
	capture_bytes(scratch, value, address, bytes);
}

/* How deep what an object holds lies; 0: too deep. */
static __always_inline __u8 depth_below(struct value *value, __u8 depth)
{
	if (depth < values.max_depth)
		return depth + 1;
	value->detail |= VALUE_SHALLOW;
	return 0;
}

/* Queues the first items of an array of references. */
static __always_inline void capture_items(struct scratch *scratch, struct value *value, __u64 items,
					  __u8 depth)
{
	__u64 count = WORD(scratch, OB_SIZE);
	__u32 first;

	value->length = count;
	end_value(scratch, value, 0);
	if (count > values.max_items)
		count = values.max_items;
	if (!count || !(depth = depth_below(value, depth)))
		return;
	asm volatile("" : "+r"(count));
	if (count > ITEMS_LIMIT)
		return;
	if (bpf_probe_read_user(scratch->window, count * 8, (void *)items)) {
		value->detail |= VALUE_TORN;
		return;
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
 * where more was picked. `keys`: whether every other one is a key. */
static __always_inline int queue_picked(struct scratch *scratch, __u32 found, __u32 limit,
					__u8 depth, __u32 keys)
{
	__u32 first = scratch->tail;

	for (__u32 i = 0; i < 2 * ITEMS_LIMIT; i++) {
		if (i >= limit || i >= found)
			break;
		queue_object(scratch, scratch->picked[i],
			     i & 1 || !keys ? depth : depth | DEPTH_NAME);
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
	__u8 head[2] = {}, backwards[ENTRIES_MAX_READ];
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
		    bpf_probe_read_user(backwards, sizeof(backwards),
					(void *)(array - 2 - sizeof(backwards))))
			return 0;
		for (int i = 0; i < ENTRIES_MAX_READ; i++)
			scratch->order[i] = backwards[ENTRIES_MAX_READ - 1 - i];
		count = head[0];
	}
	return count > ENTRIES_MAX_READ ? 0 : count;
}

/*
 * Queues the first items of a table: names or keys, and their values. `apart`: where the values are,
 * if not beside the keys. Returns how many, keys and values, or -1 where they can't be read; with
 * TABLE_HAS_MORE where there are others.
 *
 * Not static, with plain numbers: the verifier then looks at its loop once, and not for each caller.
 */
__noinline int queue_table(struct scratch *scratch, __u64 entries, __u64 form, __u64 apart,
			   __u64 depth)
{
	__u32 count = FORM_COUNT(form), words = FORM_WORDS(form), step, at, found = 0;
	__u32 ordered = 0;
	__u64 bytes;

	if (!scratch)
		return 0;
	bytes = (__u64)(count > ENTRIES_MAX_READ ? ENTRIES_MAX_READ : count) *
		(words == 3 ? 24 : 16);
	asm volatile("" : "+r"(bytes));
	if (!bytes || bytes > sizeof(scratch->window))
		return 0;
	if (bpf_probe_read_user(scratch->window, bytes, (void *)entries))
		return -1;
	if (apart) {
		bytes = (__u64)(count > ENTRIES_MAX_READ ? ENTRIES_MAX_READ : count) * 8;
		asm volatile("" : "+r"(bytes));
		if (bytes > ENTRIES_MAX_READ * 8)
			return 0;
		if (bpf_probe_read_user(scratch->values, bytes, (void *)apart))
			return -1;
		ordered = read_order(scratch, apart);
		if (ordered)
			count = ordered;
	}
	at = FORM_KEY(form);
	step = words == 3 ? 3 : 2;
	for (__u32 i = 0; i < ENTRIES_MAX_READ && i < count; i++) {
		__u32 place = ordered ? scratch->order[i] & (ENTRIES_MAX_READ - 1) : i;
		__u64 key, held;

		if (ordered)
			at = place * 2;
		key = scratch->window[at & (WINDOW_WORDS - 1)];
		held = scratch->window[(at + 1) & (WINDOW_WORDS - 1)];
		if (apart)
			held = scratch->values[place];
		at += step;
		scratch->picked[found & (PICKED_MAX - 1)] = key;
		scratch->picked[(found + 1) & (PICKED_MAX - 1)] = held;
		found += 2 * (is_set(key) & is_set(held));
	}
	return queue_picked(scratch, found, 2 * values.max_items, depth, true) |
	       (count > ENTRIES_MAX_READ ? TABLE_HAS_MORE : 0);
}

/* The same as the children of a value, whose length becomes that of what is there, or one more than
 * what was taken, if it has none yet. */
static __always_inline void capture_table(struct scratch *scratch, struct value *value,
					  const struct dict_items *items, __u64 apart, __u8 depth)
{
	int taken = queue_table(scratch, items->entries,
				FORM(items->count, items->words, items->key), apart, depth);

	if (taken < 0) {
		value->detail |= VALUE_TORN;
		return;
	}
	value->children = taken & ~TABLE_HAS_MORE;
	if (!value->length) /* of a class's shared keys, nobody counts who has them */
		value->length = value->children / 2 + !!(taken & TABLE_HAS_MORE);
}

static __always_inline void capture_dict(struct scratch *scratch, struct value *value, __u64 object,
					 __u8 depth)
{
	struct dict_items items;
	__u64 apart = 0;

	value->length = WORD(scratch, values.dict_used);
	end_value(scratch, value, 0);
	if (!value->length || !(depth = depth_below(value, depth)))
		return;
	if (!read_dict_keys(&items, WORD(scratch, values.dict_keys))) {
		value->detail |= VALUE_TORN;
		return;
	}
	if (WORD(scratch, values.dict_values))
		apart = WORD(scratch, values.dict_values) + values.values_items;
	capture_table(scratch, value, &items, apart, depth);
}

/* Queues up to `limit` of the first keys of a set's table, which has each with its hash. As
 * queue_table(). */
__noinline int queue_keys(struct scratch *scratch, __u64 table, __u64 count, __u64 depth,
			  __u64 limit)
{
	__u32 found = 0;
	__u64 bytes;

	if (!scratch)
		return 0;
	bytes = count > ENTRIES_MAX_READ ? ENTRIES_MAX_READ * 16 : count * 16;
	asm volatile("" : "+r"(bytes));
	if (bytes > ENTRIES_MAX_READ * 16)
		return 0;
	if (bpf_probe_read_user(scratch->window, bytes, (void *)table))
		return -1;
	for (__u32 i = 0; i < ENTRIES_MAX_READ && i < count; i++) {
		__u64 key = scratch->window[i * 2], hash = scratch->window[i * 2 + 1];

		scratch->picked[found & (PICKED_MAX - 1)] = key;
		found += is_set(key) & is_set(hash ^ SET_DUMMY_HASH);
	}
	return queue_picked(scratch, found, limit, depth, false);
}

static __always_inline void capture_set(struct scratch *scratch, struct value *value, __u8 depth)
{
	__u64 table, count;
	__u32 taken = 0;

	value->length = WORD(scratch, values.set_used);
	end_value(scratch, value, 0);
	if (!value->length || !(depth = depth_below(value, depth)))
		return;
	table = WORD(scratch, values.set_table);
	count = WORD(scratch, values.set_mask) + 1;
	for (int i = 0; i < SET_WINDOWS; i++) {
		int found = queue_keys(scratch, table, count, depth, values.max_items - taken);

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

/* Where a path leads, from an object whose head has been read. */
static __always_inline __u64 follow(__u64 object, const struct recipe_path *path)
{
	__u64 to = read_pointer(object + path->pointer);

	return to && path->next != RECIPE_END ? read_pointer(to + path->next) : to;
}

static __always_inline void capture_fields(struct scratch *scratch, struct value *value,
					   __u64 object, const struct recipe *recipe, __u8 depth)
{
	__u32 bytes = recipe->head & 56, first = scratch->tail;

	value->detail |= recipe->number << VALUE_RECIPE_SHIFT;
	for (int i = 0; i < RECIPE_HEAD_MAX / 8; i++)
		data_of(value)[i] = scratch->head[2 + i];
	for (int i = 0; i < RECIPE_READS; i++) {
		__u64 size = recipe->read[i].size, address;
		__u8 *to;

		if (i >= recipe->reads || size > RECIPE_READ_MAX)
			break;
		asm volatile("" : "+r"(size));
		if (size > RECIPE_READ_MAX)
			break;
		to = scratch->data +
		     ((scratch->used & (DATA_MAX - 1)) + sizeof(*value) + (bytes & 0xff));
		address = follow(object, &recipe->read[i].path);
		if (!address ||
		    bpf_probe_read_user(to, size, (void *)(address + recipe->read[i].offset))) {
			__builtin_memset(to, 0, RECIPE_READ_MAX);
			value->detail |= VALUE_TORN;
		}
		bytes += size;
	}
	for (int i = 0; i < RECIPE_CHILDREN && i < recipe->children; i++)
		queue_object(scratch, follow(object, &recipe->child[i]),
			     recipe->names ? depth | DEPTH_NAME : depth);
	value->children = scratch->tail - first;
	end_value(scratch, value, bytes);
}

/* Attributes that lie in an array, whose names the class has for all of its instances. */
static __always_inline void capture_values(struct scratch *scratch, struct value *value, __u64 type,
					   __u64 array, __u8 depth)
{
	struct dict_items items;

	if (read_dict_keys(&items, read_pointer(type + values.heap_cached_keys)))
		capture_table(scratch, value, &items, array + values.values_items, depth);
}

static __always_inline void capture_attributes_of(struct scratch *scratch, struct value *value,
						  __u64 dict, __u8 depth)
{
	struct dict_items items;
	__u64 apart;

	value->length = read_pointer(dict + values.dict_used);
	if (!read_dict_keys(&items, read_pointer(dict + values.dict_keys))) {
		value->detail |= VALUE_TORN;
		return;
	}
	apart = read_pointer(dict + values.dict_values);
	capture_table(scratch, value, &items, apart ? apart + values.values_items : 0, depth);
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

/* An instance's attributes, as its class's version keeps them. */
__noinline int capture_instance(struct scratch *scratch, __u64 object, __u64 type)
{
	struct type_key key = {.type = type};
	struct type_state *state;
	struct value *value;
	__u64 word, array;
	__u8 depth, valid = 1;

	if (!scratch)
		return 0;
	key.tgid = scratch->id >> 32;
	state = bpf_map_lookup_elem(&types, &key);
	if (!state)
		return 0;
	/* it has been ended, empty: its place is before what is used */
	value = value_at(scratch, scratch->used - sizeof(*value));
	depth = scratch->depth[(scratch->next - 1) & (QUEUE_MAX - 1)];
	if (!(depth = depth_below(value, depth)))
		return 0;
	switch (state->attributes) {
	case ATTRIBUTES_DICT:
		word = dict_place(object, state);
		word = word ? read_pointer(word) : 0;
		if (word)
			capture_attributes_of(scratch, value, word, depth);
		break;
	case ATTRIBUTES_MANAGED:
		word = read_pointer(object - values.managed_dict);
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
		if (word)
			capture_attributes_of(scratch, value, word, depth);
		else if (valid)
			capture_values(scratch, value, type, array, depth);
		break;
	default:
		if (state->slots) {
			__u32 first = scratch->tail;

			value->detail |= VALUE_SLOTS;
			value->length = state->slots;
			for (__u32 i = 0; i < SLOTS_MAX; i++) {
				if (i >= state->slots)
					break;
				queue_object(scratch, read_pointer(object + state->slot[i]), depth);
			}
			value->children = scratch->tail - first;
		}
	}
	return 0;
}

static __always_inline void capture_shallow(struct scratch *scratch, struct value *value,
					    __u64 object, __u8 shape)
{
	value->detail |= VALUE_SHALLOW;
	value->shape = shape == SHAPE_TYPE ? SHAPE_TYPE : SHAPE_OPAQUE;
	if (shape == SHAPE_TYPE) {
		value->length = object;
		know_type(object, scratch->id);
	}
	end_value(scratch, value, 0);
}

/* Captures the next object in the queue; 0: there is none, or no room. */
__noinline int capture_next(struct scratch *scratch)
{
	struct type_state *state = NULL;
	struct value *value;
	__u64 object, type, *cached;
	__u32 place, limit;
	__u8 depth, shape;

	if (!scratch || scratch->next >= scratch->tail || scratch->used >= scratch->limit)
		return 0;
	place = scratch->next++ & (QUEUE_MAX - 1);
	object = scratch->queue[place];
	depth = scratch->depth[place];
	value = value_at(scratch, scratch->used);
	value->shape = SHAPE_UNSET;
	value->children = 0;
	value->detail = 0;
	value->type = 0;
	value->length = 0;
	if (depth & DEPTH_REF && plan.code_tag_mask) {
		if ((object & TAGGED_INT) == TAGGED_INT) {
			__s64 number = (__s64)object >> TAGGED_INT_SHIFT;

			value->shape = SHAPE_INT;
			if (number < 0) {
				value->detail |= VALUE_NEGATIVE;
				number = -number;
			}
			data_of(value)[0] = (number & 0x3fffffff) | (number >> 30 & 0x3fffffff)
									    << 32;
			data_of(value)[1] = (__u64)number >> 60;
			value->length = number >> 60 ? 3 : number >> 30 ? 2 : number ? 1 : 0;
			end_value(scratch, value, value->length * 4);
			return 1;
		}
		object &= ~plan.code_tag_mask;
	}
	if (!object) {
		end_value(scratch, value, 0);
		return 1;
	}
	/* The head of an object that ends before it does may be on no page that is in memory. */
	if (bpf_probe_read_user(scratch->head, sizeof(scratch->head), (void *)object)) {
		__builtin_memset(scratch->head, 0, sizeof(scratch->head));
		if (bpf_probe_read_user(scratch->head, 32, (void *)object) &&
		    bpf_probe_read_user(scratch->head, 16, (void *)object)) {
			value->shape = SHAPE_UNREADABLE;
			end_value(scratch, value, 0);
			return 1;
		}
	}
	type = WORD(scratch, OB_TYPE);
	value->type = type;
	cached = cache_place(type);
	if (!cached)
		return 0;
	if ((*cached & ~0xffUL) == cache_tag(type, scratch->id >> 32)) {
		shape = *cached;
	} else {
		state = know_type(type, scratch->id);
		shape = state ? state->recipe.shape : SHAPE_OPAQUE;
		if (state && shape != SHAPE_FIELDS)
			*cached = cache_tag(type, scratch->id >> 32) | shape;
	}
	if (depth & DEPTH_SHALLOW) {
		capture_shallow(scratch, value, object, shape);
		return 1;
	}
	limit = depth & DEPTH_NAME && scratch->max_string < NAME_MAX ? NAME_MAX
								     : scratch->max_string;
	depth &= ~(DEPTH_REF | DEPTH_NAME);
	scratch->depth[place] = depth;
	value->shape = shape;
	switch (shape) {
	case SHAPE_BOOL:
		/* False and True are the ints 0 and 1 */
		value->length = WORD(scratch, values.int_digits) & 1;
		end_value(scratch, value, 0);
		break;
	case SHAPE_INT:
		capture_int(scratch, value, object);
		break;
	case SHAPE_FLOAT:
	case SHAPE_COMPLEX:
		data_of(value)[0] = scratch->head[2];
		data_of(value)[1] = scratch->head[3];
		end_value(scratch, value, shape == SHAPE_FLOAT ? 8 : 16);
		break;
	case SHAPE_STR:
		capture_str(scratch, value, object, limit);
		break;
	case SHAPE_BYTES:
		capture_sized(scratch, value, object + values.bytes_data);
		break;
	case SHAPE_BYTEARRAY:
		capture_sized(scratch, value, WORD(scratch, values.bytearray_start));
		break;
	case SHAPE_LIST:
		capture_items(scratch, value, WORD(scratch, values.list_items), depth);
		break;
	case SHAPE_TUPLE:
		capture_items(scratch, value, object + values.tuple_items, depth);
		break;
	case SHAPE_SET:
	case SHAPE_FROZENSET:
		capture_set(scratch, value, depth);
		break;
	case SHAPE_DICT:
		capture_dict(scratch, value, object, depth);
		break;
	case SHAPE_TYPE:
		value->length = object;
		know_type(object, scratch->id);
		end_value(scratch, value, 0);
		break;
	case SHAPE_INSTANCE:
		end_value(scratch, value, 0);
		capture_instance(scratch, object, type);
		break;
	case SHAPE_FIELDS:
		if (!state)
			state = know_type(type, scratch->id);
		if (state) {
			capture_fields(scratch, value, object, &state->recipe, depth);
			break;
		}
		value->shape = SHAPE_OPAQUE;
		end_value(scratch, value, 0);
		break;
	default:
		end_value(scratch, value, 0);
	}
	return 1;
}

/* Captures what is queued, and what that refers to. */
static __always_inline void capture(struct scratch *scratch, __u32 max_string, __u32 max_bytes)
{
	scratch->max_string = max_string;
	scratch->limit = scratch->used + max_bytes;
	if (scratch->limit > DATA_MAX - 8)
		scratch->limit = DATA_MAX - 8;
	for (int i = 0; i < QUEUE_MAX; i++)
		if (!capture_next(scratch))
			break;
}

#endif
