/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whom we have stopped as records come faster than user space takes them, and whether that is wanted:
 * what all programs of a recording share. See relieve.h for what happens then.
 */
#ifndef PYTRACE_PRESSURE_H
#define PYTRACE_PRESSURE_H

#include "emit.h"
#include "task.h"

/* The state of the whole recording, which user space and the watchdog set. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pressure);
} pressure SEC(".maps");

/* Whom we stop. User space enters only whom it stops itself. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u32); /* tgid */
	__type(value, struct stop);
} stops SEC(".maps");

/* Which of these stops are over: their times. User space alone enters here. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u32); /* tgid */
	__type(value, __u64);
} eased SEC(".maps");

/* For the watchdog: struct alarm. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} alarms SEC(".maps");

static __always_inline struct pressure *get_pressure(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pressure, &zero);
}

/* How a process stands, from now on; NULL: there is no room for that, so that it can't be stopped. */
static __always_inline struct stop *get_stop(__u32 tgid)
{
	struct stop *stop = bpf_map_lookup_elem(&stops, &tgid), never = {};

	if (stop)
		return stop;
	bpf_map_update_elem(&stops, &tgid, &never, BPF_NOEXIST);
	return bpf_map_lookup_elem(&stops, &tgid);
}

/* Sends the current process a SIGSTOP; whether that was possible. */
static __always_inline bool send_stop(struct stop *stop)
{
	__sync_fetch_and_add(&stop->due, 1);
	if (!bpf_send_signal(SIGSTOP))
		return true;
	__sync_fetch_and_add(&stop->due, -1);
	return false;
}

static __always_inline void raise_alarm(enum alarm_kind kind, __u32 tgid, __u64 time)
{
	struct alarm alarm = {.kind = kind, .tgid = tgid, .time = time};

	bpf_ringbuf_output(&alarms, &alarm, sizeof(alarm), BPF_RB_FORCE_WAKEUP);
}

#endif
