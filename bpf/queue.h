/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A record of values while it is put together: objects to be captured, and what was captured of
 * each.
 */
#ifndef PYTRACE_QUEUE_H
#define PYTRACE_QUEUE_H

#include "dicts.h"
#include "scratch.h"

/* PyCellObject.ob_ref, the first of its own. */
#define CELL_CONTENTS OB_SIZE

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

/* How much of an object is read: what is looked at lies there, behind a head that is longer in
 * free-threaded builds, where it has the counts of references apart. A power of two. */
#define HEAD_BYTES (FREE_THREADED ? 128UL : 64UL)

#define PAGE_BYTES 4096UL

/* Reads the first bytes of an object: as many as there are on its page, where the next is not in memory
 * (the object may end before). */
static __always_inline bool read_head(struct scratch *scratch, __u64 object)
{
	__u64 bytes = PAGE_BYTES - (object & (PAGE_BYTES - 1));

	_Static_assert(sizeof(scratch->head) == 128, "it has room");
	scratch->valid = HEAD_BYTES;
	if (!bpf_probe_read_user(scratch->head, HEAD_BYTES, (void *)object))
		return true;
	bytes &= HEAD_BYTES - 8;
	asm volatile("" : "+r"(bytes));
	bytes &= sizeof(scratch->head) - 8;
	__builtin_memset(scratch->head, 0, sizeof(scratch->head));
	scratch->valid = bytes;
	return bytes > OB_TYPE && !bpf_probe_read_user(scratch->head, bytes, (void *)object);
}

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

/* Begins the next value: a null pointer, until it is known to be something else. */
static __always_inline struct value *begin_value(struct scratch *scratch)
{
	struct value *value = value_at(scratch, scratch->used);

	scratch->current = scratch->used;
	value->shape = SHAPE_UNSET;
	value->children = 0;
	value->detail = 0;
	value->type = 0;
	value->length = 0;
	return value;
}

/* Ends a value that has so many bytes of data. */
static __always_inline void end_value(struct scratch *scratch, struct value *value, __u32 bytes)
{
	bytes = (sizeof(*value) + bytes + 7) & ~7U;
	value->bytes = bytes;
	scratch->used += bytes;
}

/* How deep what an object holds lies; 0: too deep. */
static __always_inline __u8 depth_below(struct value *value, __u8 depth)
{
	if (depth < values.max_depth)
		return depth + 1;
	value->detail |= VALUE_SHALLOW;
	return 0;
}

#endif
