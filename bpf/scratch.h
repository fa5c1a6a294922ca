/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room to put a record together, of unknown length or by several functions, before it goes into the ring
 * buffer.
 *
 * A BPF stack has 512 bytes, and what is reserved in a ring buffer has a size known beforehand. A
 * map with a place per processor would do if a program that runs for a uprobe could not be
 * preempted; since Linux 5.19 (8c7dcb84e3b7, bpf_prog_run_array_uprobe) it can, by another thread's
 * that then finds the same place. So places are taken and given back.
 */
#ifndef PYTRACE_SCRATCH_H
#define PYTRACE_SCRATCH_H

#include "event.h"

/* Objects that one record can have; a power of two. */
#define QUEUE_MAX 256
/* Where in a record values can begin; a power of two. */
#define DATA_MAX 16384
/* What one value can add to that, at the most: a string's characters. */
#define STRING_BYTES_MAX 4096
#define VALUE_MAX	 (sizeof(struct value) + STRING_BYTES_MAX + 64)
/* Characters of a name, and of a dict's key. */
#define NAME_MAX 255
/* Words of an object or a table that are looked at at once, at the most; powers of two. */
#define HEAD_WORDS   16
#define WINDOW_WORDS 128
/* Keys and values that are looked at in a table; a power of two. */
#define PICKED_MAX 64
/* Places of memory that are read again in the end; a power of two. */
#define WATCHED_MAX 64

/* Parameters whose values are captured: the first of a code object's. */
#define PARAMETERS_MAX 64
/* Up to 3.10: parameters that inner functions use, of one function. */
#define CAPTURED_MAX PARAMETERS_MAX

/* What is kept of a code object's parameters. */
struct parameters {
	__u64 cells; /* 3.11+: those whose local is a cell with the value */
	__u8 count;
	__u8 is_method; /* the first is called self or cls */
	__u8 captured; /* up to 3.10: how many have their value in a cell behind the locals */
	__u8 pad;
	__u32 nlocals; /* 3.11+: with cells and free variables */
	__u8 parameter[CAPTURED_MAX]; /* which */
	__u8 cell[CAPTURED_MAX]; /* and in which cell */
};

/* A table of keys: what follows its indices. */
struct dict_items {
	__u64 entries; /* address of the first */
	__u32 count; /* of entries in use, deleted ones included */
	__u32 words; /* of an entry */
	__u32 key; /* the word that has the key; the value's is the next */
	__u32 split; /* 3.11+: values are elsewhere */
};

/* What was read of a container that other threads can change: see changes.h. */
struct watched {
	__u64 address;
	__u64 sum; /* of its words */
	__u32 bytes;
	__u32 value; /* where in the record the container's is */
};

struct scratch {
	__u64 taken;
	/* The record and its values so far. */
	__u32 used;
	__u32 limit; /* no value begins beyond */
	/* Objects to be captured, in order; those before `next` are. */
	__u32 next;
	__u32 tail;
	__u32 max_string; /* characters */
	__u32 place; /* its own key */
	__u64 id; /* bpf_get_current_pid_tgid() */
	__u64 queue[QUEUE_MAX];
	__u8 depth[QUEUE_MAX];
	__u8 frame[FRAME_HEAD_MAX] __attribute__((aligned(8))); /* the start of the event's */
	struct parameters parameters; /* of its code object */
	/* What is being looked at. */
	__u64 head[HEAD_WORDS];
	__u64 valid; /* bytes of that which could be read */
	__u64 window[WINDOW_WORDS];
	__u64 keys_head[5]; /* of a PyDictKeysObject */
	struct dict_items items;
	__u64 values[PICKED_MAX / 2];
	__u8 order[PICKED_MAX / 2] __attribute__((aligned(8)));
	__u8 backwards[PICKED_MAX / 2]; /* the same, as it lies there */
	__u32 current; /* where in the record the value is that is being captured */
	__u32 watched; /* of `watch` */
	__u32 freed; /* types_freed when the object was read */
	struct watched watch[WATCHED_MAX];
	__u64 picked[PICKED_MAX]; /* of a table's keys and values, those that are there */
	__u8 data[DATA_MAX + VALUE_MAX];
};

#ifndef BEFORE_5_15

/* Two per processor of a large machine; an event that finds none is lost, and counted. */
#define PLACES	     128
#define PLACES_TRIED 8

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLACES);
	__type(key, __u32);
	__type(value, struct scratch);
} places SEC(".maps");

static __always_inline __u32 first_place(void)
{
	return bpf_get_smp_processor_id() * 2;
}

static __always_inline bool take(struct scratch *scratch)
{
	return !__sync_val_compare_and_swap(&scratch->taken, 0, 1);
}

/* A place as an argument of a function that the verifier looks at by itself. */
typedef struct scratch *scratch_arg;

static __always_inline scratch_arg pass_scratch(struct scratch *scratch)
{
	return scratch;
}

static __always_inline struct scratch *passed_scratch(scratch_arg scratch)
{
	return scratch;
}

#else

/* Here nothing preempts the programs: each processor has its own, of which one event takes five at most. */
#define PLACES	     8
#define PLACES_TRIED 8

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PLACES);
	__type(key, __u32);
	__type(value, struct scratch);
} places SEC(".maps");

static __always_inline __u32 first_place(void)
{
	return 0;
}

static __always_inline bool take(struct scratch *scratch)
{
	if (scratch->taken)
		return false;
	scratch->taken = 1;
	return true;
}

typedef __u64 scratch_arg; /* its key */

static __always_inline scratch_arg pass_scratch(struct scratch *scratch)
{
	return scratch->place;
}

static __always_inline struct scratch *passed_scratch(scratch_arg passed)
{
	__u32 place = passed;

	return bpf_map_lookup_elem(&places, &place);
}

#endif

/* Takes a place for a record whose fixed part has `record_bytes`; NULL: all are taken. */
static __always_inline struct scratch *take_scratch(__u64 id, __u32 record_bytes)
{
	__u32 first = first_place();

	for (int i = 0; i < PLACES_TRIED; i++) {
		__u32 place = (first + i) & (PLACES - 1);
		struct scratch *scratch = bpf_map_lookup_elem(&places, &place);

		if (!scratch || !take(scratch))
			continue;
		scratch->place = place;
		scratch->id = id;
		scratch->used = record_bytes;
		scratch->next = 0;
		scratch->tail = 0;
		scratch->watched = 0;
		return scratch;
	}
	return NULL;
}

/* A plain store: the programs run on x86-64, which keeps stores in order. */
static __always_inline void give_back(struct scratch *scratch)
{
	*(volatile __u64 *)&scratch->taken = 0;
}

/* A place as room for what is too large for the stack. Before Linux 6.13 (e00931c02568), functions that
 * call each other share 512 bytes of that, each taking a multiple of 32 (kernel/bpf/verifier.c,
 * check_max_stack_depth()). The longest chains, from a probe to a type that is met and to a
 * function's definition, come to 480 of them: what is done on the way keeps what it reads in here. Newer
 * kernels accept more, so that only scripts/kernel-tests.sh finds out. */
#define ROOM(scratch, type)                                                                        \
	({                                                                                         \
		_Static_assert(sizeof(type) <= sizeof((scratch)->window), "it fits");              \
		(type *)(scratch)->window;                                                         \
	})

/* Sends the record; false where the ring has no room. */
static __always_inline bool output_scratch(struct scratch *scratch)
{
	__u64 used = scratch->used;

	/* the verifier must see the bound on the very register it checks */
	asm volatile("" : "+r"(used));
	if (used > sizeof(scratch->data))
		used = sizeof(scratch->data);
	return !bpf_ringbuf_output(&events, scratch->data, used, BPF_RB_NO_WAKEUP);
}

/* The same, and gives the place back. */
static __always_inline bool send_scratch(struct scratch *scratch)
{
	bool sent = output_scratch(scratch);

	give_back(scratch);
	return sent;
}

#endif
