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

#include "instances.h"
#include "plain.h"
#include "tables.h"
#include "types.h"

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
		data_of(value)[i] = scratch->head[OB_SIZE / 8 + i];
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

/* How many bytes of an object are looked at for a shape; for what varies in size, before that is known. */
static __always_inline __u32 head_of(__u8 shape)
{
	switch (shape) {
	case SHAPE_OPAQUE:
	case SHAPE_NONE:
	case SHAPE_TYPE:
	case SHAPE_INSTANCE:
		return OB_SIZE;
	case SHAPE_INT:
	case SHAPE_FLOAT:
	case SHAPE_TUPLE:
	case SHAPE_BYTES:
		return OB_SIZE + 8;
	case SHAPE_BOOL:
	case SHAPE_COMPLEX:
		return OB_SIZE + 16;
	case SHAPE_STR:
		return STR_HEAD;
	}
	return OB_SIZE + 32;
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
__noinline int capture_next(scratch_arg passed)
{
	struct scratch *scratch = passed_scratch(passed);
	struct type_state *state = NULL;
	struct value *value;
	__u64 object, type, *cached;
	__u32 place, limit;
	__u8 depth, shape;

	if (!values.wanted || !scratch || scratch->next >= scratch->tail ||
	    scratch->used >= scratch->limit)
		return 0;
	place = scratch->next++ & (QUEUE_MAX - 1);
	object = scratch->queue[place];
	depth = scratch->depth[place];
	value = begin_value(scratch);
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
	scratch->freed = types_freed;
	if (!read_head(scratch, object) || is_dead(scratch)) {
		value->shape = SHAPE_UNREADABLE;
		end_value(scratch, value, 0);
		return 1;
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
		/* It may have been this one, and what is known of it came too late to be forgotten. */
		if (FREE_THREADED && types_freed != scratch->freed)
			forget_met_type(type, scratch->id);
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
	if (scratch->valid < head_of(shape)) {
		value->shape = SHAPE_UNREADABLE;
		end_value(scratch, value, 0);
		return 1;
	}
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
		data_of(value)[0] = scratch->head[OB_SIZE / 8];
		data_of(value)[1] = scratch->head[OB_SIZE / 8 + 1];
		end_value(scratch, value, shape == SHAPE_FLOAT ? 8 : 16);
		break;
	case SHAPE_STR:
		capture_str(scratch, value, object, limit);
		break;
	case SHAPE_BYTES:
		capture_sized(scratch, value, object + values.bytes_data, limit);
		break;
	case SHAPE_BYTEARRAY:
		watch_state(scratch, scratch->current, object);
		capture_sized(scratch, value, WORD(scratch, values.bytearray_start), limit);
		break;
	case SHAPE_LIST:
		capture_items(scratch, value, WORD(scratch, values.list_items), object, depth);
		break;
	case SHAPE_TUPLE:
		capture_items(scratch, value, object + values.tuple_items, 0, depth);
		break;
	case SHAPE_SET:
	case SHAPE_FROZENSET:
		capture_set(scratch, value, object, depth);
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
		capture_instance(pass_scratch(scratch), object, type);
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
		if (!capture_next(pass_scratch(scratch)))
			break;
	if (FREE_THREADED)
		mark_changed(scratch);
}

#endif
