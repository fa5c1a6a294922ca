// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of the traced processes: a program they start is held until its probes
 * are on; threads' ends are told. Loaded once per recording; owns the ring buffer.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "emit.h"

#define SIGSTOP 19

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* tgid */
	__type(value, __u8); /* enum watch */
} targets SEC(".maps");

/* For Rust. */
enum watch _watch = 0;

static __always_inline int tell(__u8 kind, bool may_hold)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct event_process *record;
	__u32 tgid = id >> 32;
	__u8 *watch = bpf_map_lookup_elem(&targets, &tgid);

	if (!watch)
		return 0;
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record) {
		count_loss(id);
		return 0; /* not held: user space would not know to let it go */
	}
	fill_head(&record->head, kind, 0, id);
	if (may_hold && *watch == WATCH_HOLD)
		bpf_send_signal(SIGSTOP);
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* The new program has replaced the old one and has not run an instruction yet. */
SEC("raw_tp/sched_process_exec")
int process_exec(void *ctx)
{
	return tell(EVENT_EXEC, true);
}

/* On a dynamic executable's entry point: ld.so has mapped the libraries. */
SEC("uprobe")
int process_loaded(struct pt_regs *ctx)
{
	return tell(EVENT_LOADED, true);
}

SEC("raw_tp/sched_process_exit")
int thread_exit(void *ctx)
{
	return tell(EVENT_THREAD_END, false);
}

char LICENSE[] SEC("license") = "GPL";
