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

/* Whom we have stopped. User space enters only whom it stops itself. */
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

static __always_inline void raise_alarm(enum alarm_kind kind, __u32 tgid, __u64 time)
{
	struct alarm alarm = {.kind = kind, .tgid = tgid, .time = time};

	bpf_ringbuf_output(&alarms, &alarm, sizeof(alarm), BPF_RB_FORCE_WAKEUP);
}

#endif
