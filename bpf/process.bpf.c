// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of the traced processes: their births, the programs they start, the ends of
 * their threads and their own. Loaded once per recording; owns the ring buffer.
 *
 * A copy of an interpreter's process, and a program that a followed process starts, are
 * held until their probes are on. The hold is a SIGSTOP, which the parent can see: it gets a
 * SIGCHLD more, unless it has set SA_NOCLDSTOP, and a wait with WUNTRACED would tell it that the
 * child has stopped. Where that might do harm (may_stop()), user space stops the process in
 * another way, as soon as it hears of it.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "emit.h"

#define SIGSTOP 19

/* The kernel structs read, through CO-RE. */
typedef struct {
	int counter;
} atomic_t;

enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID,
	PIDTYPE_PGID,
	PIDTYPE_SID,
	PIDTYPE_MAX,
};

struct upid {
	int nr;
} __attribute__((preserve_access_index));

struct pid {
	struct upid numbers[1];
} __attribute__((preserve_access_index));

struct signal_struct {
	atomic_t live; /* threads that have not ended */
	struct pid *pids[PIDTYPE_MAX];
} __attribute__((preserve_access_index));

struct task_struct {
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct signal_struct *signal;
	unsigned int ptrace;
} __attribute__((preserve_access_index));

struct watched {
	__u64 held; /* when it was stopped last: the time of the record that tells; 0: never */
	__u32 parent;
	__u8 watch; /* enum watch */
	__u8 newborn; /* it has not run yet, and is to be held when it does */
	__u8 pad[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u32); /* tgid */
	__type(value, struct watched);
} targets SEC(".maps");

/* Those of them that run an interpreter with our probes. User space enters them; copies of a
 * process are entered by the kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u32); /* tgid */
	__type(value, __u8);
} pythons SEC(".maps");

/* Which of these stops user space has ended. User space alone enters here, so that neither
 * overwrites what the other says. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u32); /* tgid */
	__type(value, __u64); /* struct watched's held */
} released SEC(".maps");

/* pytrace's own process. Its end is told here, to whoever then lets go whom we hold: pytrace's
 * descriptors are of no use for that, as it takes the kernel seconds to close those of probes. */
const volatile __u32 own;
const volatile __u32 own_group;
/* Whether pytrace can end a stop of anybody's, or only of this user's. */
const volatile bool may_resume_all;
const volatile __u32 own_uid;
bool over;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} obituary SEC(".maps");

/* For Rust. */
enum watch _watch = 0;
struct watched _watched = {};

static __always_inline int send(__u8 kind, __u64 id, struct watched *watched, bool hold)
{
	struct event_process *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record) {
		count_loss(id);
		return 0; /* not held: user space would not know to let it go */
	}
	fill_head(&record->head, kind, 0, id);
	record->parent = watched ? watched->parent : 0;
	record->held = 0;
	if (watched && hold && !over) {
		watched->held = record->head.time;
		record->held = !bpf_send_signal(SIGSTOP);
	}
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/*
 * Whether a SIGSTOP does no harm. It does in a process group that a shell, or a program like it, has
 * made for a job: a shell takes it for Ctrl-Z, and should the last tie of the group to the rest of
 * its session end meanwhile, the kernel sends SIGHUP to all of a group in which something is stopped
 * (kernel/exit.c, kill_orphaned_pgrp()). Neither can happen in pytrace's own group nor in that
 * of a session's leader. And a debugger would see the stop; and who has become another user, by sudo
 * for one, would stay stopped if pytrace has no CAP_KILL.
 */
static __always_inline bool may_stop(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct pid *group = BPF_CORE_READ(signal, pids[PIDTYPE_PGID]);

	if (BPF_CORE_READ(task, ptrace))
		return false;
	if (!may_resume_all && (__u32)bpf_get_current_uid_gid() != own_uid)
		return false;
	return BPF_CORE_READ(group, numbers[0].nr) == own_group ||
	       group == BPF_CORE_READ(signal, pids[PIDTYPE_SID]);
}

/* Whether a process is taken to live on while its child is held, so that it does not leave the child
 * in an orphaned group: one that was attached to has not begun just now. */
static __always_inline bool is_lasting(const struct watched *parent)
{
	return parent && parent->watch == WATCH_ONLY;
}

/* Before the child runs, which may share its parent's memory until it runs another program
 * (vfork, posix_spawn): then there is nothing to be traced in it, and its parent waits for it. */
SEC("raw_tp/sched_process_fork")
int process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (void *)ctx->args[0], *child = (void *)ctx->args[1];
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid), tgid = BPF_CORE_READ(child, tgid);
	struct watched watched = {.parent = parent_tgid, .watch = WATCH_HOLD};
	__u64 id = (__u64)tgid << 32 | tgid;
	__u8 yes = 1;

	if (tgid == parent_tgid || !bpf_map_lookup_elem(&targets, &parent_tgid))
		return 0;
	watched.newborn = bpf_map_lookup_elem(&pythons, &parent_tgid) &&
			  BPF_CORE_READ(parent, mm) != BPF_CORE_READ(child, mm);
	if (bpf_map_update_elem(&targets, &tgid, &watched, BPF_ANY)) {
		count_loss(id);
		return 0;
	}
	if (watched.newborn)
		bpf_map_update_elem(&pythons, &tgid, &yes, BPF_ANY);
	return send(EVENT_FORK, id, &watched, false);
}

/* A child's first return to user space is that of the system call which made it, with 0. Runs at
 * the end of each system call of the machine: what does not concern us must be cheap. */
SEC("raw_tp/sys_exit")
int syscall_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct watched *watched, *parent;
	__u64 id;
	__u32 tgid;

	if (ctx->args[1])
		return 0;
	id = bpf_get_current_pid_tgid();
	tgid = id >> 32;
	watched = bpf_map_lookup_elem(&targets, &tgid);
	if (!watched || !watched->newborn)
		return 0;
	watched->newborn = 0;
	parent = bpf_map_lookup_elem(&targets, &watched->parent);
	return send(EVENT_BORN, id, watched, may_stop() || is_lasting(parent));
}

static __always_inline int tell_start(__u8 kind, __u64 id)
{
	__u32 tgid = id >> 32;
	struct watched *watched = bpf_map_lookup_elem(&targets, &tgid);

	if (!watched)
		return 0;
	return send(kind, id, watched, watched->watch == WATCH_HOLD && may_stop());
}

/* The new program has replaced the old one and has not run an instruction yet. */
SEC("raw_tp/sched_process_exec")
int process_exec(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;

	bpf_map_delete_elem(&pythons, &tgid);
	return tell_start(EVENT_EXEC, id);
}

/* On a dynamic executable's entry point: ld.so has mapped the libraries. */
SEC("uprobe")
int process_loaded(struct pt_regs *ctx)
{
	return tell_start(EVENT_LOADED, bpf_get_current_pid_tgid());
}

SEC("raw_tp/sched_process_exit")
int thread_exit(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;

	if (tgid == own && (__u32)id == own) {
		over = true;
		bpf_ringbuf_output(&obituary, &id, sizeof(id), BPF_RB_FORCE_WAKEUP);
	}
	if (!bpf_map_lookup_elem(&targets, &tgid))
		return 0;
	if (BPF_CORE_READ(task, signal, live.counter))
		return send(EVENT_THREAD_END, id, NULL, false);
	bpf_map_delete_elem(&targets, &tgid);
	bpf_map_delete_elem(&pythons, &tgid);
	bpf_map_delete_elem(&released, &tgid);
	return send(EVENT_PROCESS_END, id, NULL, false);
}

char LICENSE[] SEC("license") = "GPL";
