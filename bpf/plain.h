/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Capturing numbers and strings, which refer to no other objects.
 */
#ifndef PYTRACE_PLAIN_H
#define PYTRACE_PLAIN_H

#include "queue.h"

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
		__u64 bytes = digits * 4;

		if (values.int_digits + bytes > scratch->valid) {
			capture_bytes(scratch, value, object + values.int_digits, bytes);
			return;
		}
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
		if (bytes <= 24 && bytes + plan.str_ascii <= scratch->valid) {
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
					  __u64 address, __u32 limit)
{
	__u64 bytes = WORD(scratch, OB_SIZE);

	value->length = bytes;
	if (bytes > limit)
		bytes = limit;
	capture_bytes(scratch, value, address, bytes);
}

/* Captures the next object in the queue, a name in a code object: those are str, and nothing else
 * (Objects/codeobject.c, intern_strings()). 0: there is none, or no room. */
__noinline int capture_name(scratch_arg passed)
{
	struct scratch *scratch = passed_scratch(passed);
	struct value *value;
	__u64 object;

	if (!values.wanted || !scratch || scratch->next >= scratch->tail ||
	    scratch->used >= scratch->limit)
		return 0;
	object = scratch->queue[scratch->next++ & (QUEUE_MAX - 1)];
	value = begin_value(scratch);
	if (!read_head(scratch, object) || scratch->valid < STR_HEAD) {
		value->shape = SHAPE_UNREADABLE;
		end_value(scratch, value, 0);
		return 1;
	}
	value->type = WORD(scratch, OB_TYPE);
	value->shape = SHAPE_STR;
	capture_str(scratch, value, object, NAME_MAX);
	return 1;
}

#endif
