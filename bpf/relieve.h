/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happens when records come faster than user space takes them.
 *
 * Lossless, a process that finds the ring half full is stopped until user space has caught up: by
 * SIGSTOP, before it is back in its own code, so that the other half has to hold no more than what
 * its other threads have under way. Where that signal might do harm, or would be noticed, the
 * watchdog is asked to halt the process by ptrace instead, which takes a fraction of a millisecond.
 *
 * Otherwise, and where all that was not enough, starts and ends are dropped, and counted, from seven
 * eighths on until the ring is half empty again: few long gaps cost less, and read better, than many
 * short ones. The last eighth is for what everything else depends on: descriptions of code objects,
 * events that nobody has judged yet, births and ends of processes.
 */
#ifndef PYTRACE_RELIEVE_H
#define PYTRACE_RELIEVE_H

#include "kernels.h"
#include "pressure.h"

/* A process that is still running so many nanoseconds after it was stopped has been let go by somebody
 * else. */
#define STOP_AGAIN 10000000UL
/* User space is woken up no more often than that. */
#define WAKE_AGAIN 1000000UL

/* Size of the ring in bytes. */
const volatile __u64 ring_bytes;

/* From now on, events are dropped. */
bool crowded;

/* Wakes user space, now and then. */
static __always_inline void wake(struct pressure *state)
{
	__u64 now = bpf_ktime_get_ns(), before = state->woken;
	void *nothing;

	if (now - before < WAKE_AGAIN || !claim(&state->woken, before, now))
		return;
	nothing = bpf_ringbuf_reserve(&events, sizeof(__u64), 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

/* Stops the process that makes this event, unless it is about to stop already. */
static __always_inline void stop_process(__u64 id)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 *over, before, now = bpf_ktime_get_ns();
	struct event_process *record;
	__u32 tgid = id >> 32;
	struct stop *stop = get_stop(tgid);

	if (!stop)
		return;
	before = stop->time;
	if (now - before < STOP_AGAIN) {
		over = bpf_map_lookup_elem(&eased, &tgid);
		if (!over || *over != before)
			return;
	}
	if (is_being_stopped(task))
		return;
	if (!claim(&stop->time, before, now))
		return;
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record) {
		stop->time = 0; /* user space would not know to let it go */
		return;
	}
	fill_head(&record->head, EVENT_STOPPED, 0, id);
	record->head.time = now;
	record->parent = 0;
	record->held = 0;
	if (may_stop(task) && !is_noticed(task))
		record->held = send_stop(stop);
	stop->asked = !record->held;
	if (!record->held)
		raise_alarm(ALARM_HALT, tgid, now);
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

/* The ring is half full. */
__noinline int relieve(__u64 id, __u64 waiting)
{
	struct pressure *state = get_pressure();

	if (waiting > ring_bytes - ring_bytes / 8)
		crowded = true;
	if (!state)
		return 0;
	if (state->lossless)
		stop_process(id);
	else
		wake(state);
	return 0;
}

/* To be called when a record has been sent. */
static __always_inline int watch_ring(__u64 id)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	return waiting > ring_bytes / 2 ? relieve(id, waiting) : 0;
}

/* Whether an event that counts must be dropped. */
static __always_inline bool is_crowded(void)
{
	if (!crowded)
		return false;
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > ring_bytes / 2)
		return true;
	crowded = false;
	return false;
}

#endif
