/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames whose start was sent: their exits are sent without a second look.
 */
#ifndef PYTRACE_SLOTS_H
#define PYTRACE_SLOTS_H

#include "event.h"

/*
 * Frames whose start was sent, as a direct-mapped cache: an exit found here is sent
 * without reading anything. An entry that was overwritten by another frame's costs a
 * read of the frame at its exit, nothing else.
 *
 * A slot is the frame's address without its 3 low bits (44 bits), 18 bits of the thread
 * id, and two flags.
 */
#define SLOTS	       65536
#define SLOT_INTERNAL  1
#define SLOT_RESUMABLE 2
#define SLOT_FLAGS     3
__u64 slots[SLOTS];

/* How many locals the frame in each slot has, 3.11+: what it returns is behind them. With the thread and
 * some bits of the frame, since the slot may be another's by then. */
#define LOCALS_UNKNOWN 0xffff
__u64 slot_locals[SLOTS];

static __always_inline __u64 locals_tag(__u64 frame, __u32 tid)
{
	return (__u64)tid << 32 | (frame >> 20 & 0xffff) << 16;
}

static __always_inline __u32 slot_index(__u64 frame, __u32 tid)
{
	return (frame >> 4 ^ tid * 0x9e37) & (SLOTS - 1);
}

static __always_inline __u64 *slot_of(__u64 frame, __u32 tid)
{
	return &slots[slot_index(frame, tid)];
}

/* How many starts of code outside the scope the probes were hit by, for nothing. Each processor counts for
 * itself, in a cache line of its own, and is not to be exact: an event may be preempted. */
#define COUNTERS 64

struct counter {
	__u64 count;
	__u64 pad[7];
};

struct counter outside[COUNTERS];

static __always_inline void count_outside(void)
{
	outside[bpf_get_smp_processor_id() & (COUNTERS - 1)].count++;
}

static __always_inline __u64 slot_tag(__u64 frame, __u32 tid)
{
	return frame >> 3 << 20 | (tid & 0x3ffff) << 2;
}

#endif
