/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room to put a record of unknown length together, before it goes into the ring buffer.
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
/* Words of an object or a table that are looked at at once; the latter, a power of two. */
#define HEAD_WORDS   8
#define WINDOW_WORDS 128
/* Keys and values that are looked at in a table; a power of two. */
#define PICKED_MAX 64

struct scratch {
	__u64 taken;
	/* The record and its values so far. */
	__u32 used;
	__u32 limit; /* no value begins beyond */
	/* Objects to be captured, in order; those before `next` are. */
	__u32 next;
	__u32 tail;
	__u32 max_string; /* characters */
	__u32 pad;
	__u64 id; /* bpf_get_current_pid_tgid() */
	__u64 queue[QUEUE_MAX];
	__u8 depth[QUEUE_MAX];
	/* What is being looked at. */
	__u64 head[HEAD_WORDS];
	__u64 valid; /* bytes of that which could be read */
	__u64 window[WINDOW_WORDS];
	__u64 values[PICKED_MAX / 2];
	__u8 order[PICKED_MAX / 2];
	__u64 picked[PICKED_MAX]; /* of a table's keys and values, those that are there */
	__u8 data[DATA_MAX + VALUE_MAX];
};

/* Two per processor of a large machine; an event that finds none is lost, and counted. */
#define PLACES	     128
#define PLACES_TRIED 4

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLACES);
	__type(key, __u32);
	__type(value, struct scratch);
} places SEC(".maps");

/* Takes a place for a record whose fixed part has `record_bytes`; NULL: all are taken. */
static __always_inline struct scratch *take_scratch(__u64 id, __u32 record_bytes)
{
	__u32 first = bpf_get_smp_processor_id() * 2;

	for (int i = 0; i < PLACES_TRIED; i++) {
		__u32 place = (first + i) & (PLACES - 1);
		struct scratch *scratch = bpf_map_lookup_elem(&places, &place);

		if (!scratch || __sync_val_compare_and_swap(&scratch->taken, 0, 1))
			continue;
		scratch->id = id;
		scratch->used = record_bytes;
		scratch->next = 0;
		scratch->tail = 0;
		return scratch;
	}
	return NULL;
}

/* A plain store: the programs run on x86-64, which keeps stores in order. */
static __always_inline void give_back(struct scratch *scratch)
{
	*(volatile __u64 *)&scratch->taken = 0;
}

/* Sends the record and gives the place back; false where the ring has no room. */
static __always_inline bool send_scratch(struct scratch *scratch)
{
	__u64 used = scratch->used;
	long failed;

	/* the verifier must see the bound on the very register it checks */
	asm volatile("" : "+r"(used));
	if (used > sizeof(scratch->data))
		used = sizeof(scratch->data);
	failed = bpf_ringbuf_output(&events, scratch->data, used, BPF_RB_NO_WAKEUP);
	give_back(scratch);
	return !failed;
}

#endif
