/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records into the ring buffer: reserve, or count the loss of this very thread.
 *
 * A loss is never silent: the thread's next record carries the number of events
 * lost before it, and the frames then running are reported again (see walk() in
 * frames.bpf.c), so that user space knows the stack behind the gap.
 */
#ifndef PYTRACE_EMIT_H
#define PYTRACE_EMIT_H

#include "event.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events SEC(".maps");

/* Events lost per thread since its last record; one map for all programs of a recording.
 * Empty unless something was lost. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64); /* tgid << 32 | tid */
	__type(value, __u32);
} losses SEC(".maps");

/* All events that these programs have lost. */
__u64 lost_total;

static __always_inline void count_loss(__u64 id)
{
	__u32 one = 1, *lost = bpf_map_lookup_elem(&losses, &id);

	__sync_fetch_and_add(&lost_total, 1);
	if (lost)
		*lost += 1; /* only this thread writes its entry */
	else
		bpf_map_update_elem(&losses, &id, &one, BPF_ANY);
}

/* What to write into event_head.lost. Costs nothing until something was lost. */
static __always_inline __u32 losses_of(__u64 id)
{
	__u32 *lost, count;

	if (!lost_total)
		return 0;
	lost = bpf_map_lookup_elem(&losses, &id);
	if (!lost)
		return 0;
	count = *lost;
	*lost = 0;
	return count;
}

/* The record that was to report them could not be sent. */
static __always_inline void restore_losses(__u64 id, __u32 lost)
{
	__u32 *entry = lost ? bpf_map_lookup_elem(&losses, &id) : NULL;

	if (entry)
		*entry += lost;
}

static __always_inline void fill_head(struct event_head *head, __u8 kind, __u8 detail, __u64 id)
{
	head->kind = kind;
	head->detail = detail;
	head->pad = 0;
	head->lost = 0;
	head->tgid = id >> 32;
	head->tid = (__u32)id;
	head->time = bpf_ktime_get_ns();
}

#endif
