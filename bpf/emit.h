/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records into the ring buffer: reserve, or count the loss of this very thread.
 *
 * A loss is never silent: before the thread's next record, one tells how many events are missing
 * since when, and the frames then running are reported again (see know_stack() in stack.h), so that
 * user space knows the stack behind the gap.
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
	__type(value, struct loss);
} losses SEC(".maps");

/* All events that these programs have lost, and those of them of which it was not known yet whether
 * they are of the scope's concern. */
__u64 lost_total;
__u64 lost_unjudged;

static __always_inline void fill_head(struct event_head *head, __u8 kind, __u8 detail, __u64 id)
{
	head->kind = kind;
	head->detail = detail;
	head->pad = 0;
	head->pad2 = 0;
	head->tgid = id >> 32;
	head->tid = (__u32)id;
	head->time = bpf_ktime_get_ns();
}

static __always_inline void count_loss(__u64 id, enum event_kind kind)
{
	struct loss *loss = bpf_map_lookup_elem(&losses, &id), none = {};

	__sync_fetch_and_add(&lost_total, 1);
	if (!loss) {
		bpf_map_update_elem(&losses, &id, &none, BPF_NOEXIST);
		loss = bpf_map_lookup_elem(&losses, &id);
		if (!loss)
			return;
	}
	/* only this thread writes its entry */
	if (!(loss->starts | loss->ends))
		loss->since = bpf_ktime_get_ns();
	if (kind == EVENT_ENTER)
		loss->starts++;
	else
		loss->ends++;
}

/* Tells of the thread's losses, if there are any; false where even that could not be recorded. */
static __always_inline bool tell_loss(__u64 id)
{
	struct loss *loss = bpf_map_lookup_elem(&losses, &id);
	struct event_gap *record;

	if (!loss || !(loss->starts | loss->ends))
		return true;
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record)
		return false;
	fill_head(&record->head, EVENT_GAP, 0, id);
	record->since = loss->since;
	record->starts = loss->starts;
	record->ends = loss->ends;
	loss->starts = loss->ends = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

#endif
