/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel knows of a task: the structs read, through CO-RE, and what follows from them.
 */
#ifndef PYTRACE_TASK_H
#define PYTRACE_TASK_H

#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTTOU 22
/* SIGSTOP, SIGTSTP, SIGTTIN and SIGTTOU are next to each other. */
#define STOP_SIGNALS (0xfUL << (SIGSTOP - 1))

/* Linux, include/uapi/asm-generic/signal.h and signal-defs.h; SIG_DFL is 0, SIG_IGN 1. */
#define LAST_DISPOSITION 1
#define SA_NOCLDSTOP	 1UL
/* Linux, include/linux/sched/jobctl.h */
#define JOBCTL_STOP_PENDING (1UL << 17)

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

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct sigpending {
	sigset_t signal;
} __attribute__((preserve_access_index));

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
} __attribute__((preserve_access_index));

struct k_sigaction {
	struct sigaction sa;
} __attribute__((preserve_access_index));

struct sighand_struct {
	struct k_sigaction action[64];
} __attribute__((preserve_access_index));

struct signal_struct {
	atomic_t live; /* threads that have not ended */
	struct sigpending shared_pending;
	struct pid *pids[PIDTYPE_MAX];
} __attribute__((preserve_access_index));

struct thread_struct {
	unsigned long fsbase;
} __attribute__((preserve_access_index));

struct task_struct {
	int pid;
	int tgid;
	unsigned int ptrace;
	unsigned long jobctl;
	__u64 start_time;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	sigset_t blocked;
	struct sigpending pending;
	struct thread_struct thread;
} __attribute__((preserve_access_index));

/* pytrace's process group. */
const volatile __u32 own_group;
/* Whether pytrace can end a stop of anybody's, or only of this user's. */
const volatile bool may_resume_all;
const volatile __u32 own_uid;

/*
 * Whether a SIGSTOP does no harm. It does in a process group that a shell, or a program like it, has
 * made for a job: a shell takes it for Ctrl-Z, and should the last tie of the group to the rest of
 * its session end meanwhile, the kernel sends SIGHUP to all of a group in which something is stopped
 * (kernel/exit.c, kill_orphaned_pgrp()). Neither can happen in pytrace's own group nor in that
 * of a session's leader. And a debugger would see the stop; and who has become another user, by sudo
 * for one, would stay stopped if pytrace has no CAP_KILL. A task is the current one, or its child that
 * has just been made.
 */
static __always_inline bool may_stop(struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct pid *group = BPF_CORE_READ(signal, pids[PIDTYPE_PGID]);

	if (BPF_CORE_READ(task, ptrace))
		return false;
	if (!may_resume_all && (__u32)bpf_get_current_uid_gid() != own_uid)
		return false;
	return BPF_CORE_READ(group, numbers[0].nr) == own_group ||
	       group == BPF_CORE_READ(signal, pids[PIDTYPE_SID]);
}

/* Whether a process has a function for a signal, or waits for it in another way. */
static __always_inline bool handles(struct task_struct *task, int number)
{
	void *handler = BPF_CORE_READ(task, sighand, action[number - 1].sa.sa_handler);
	unsigned long blocked = BPF_CORE_READ(task, blocked.sig[0]);

	return (unsigned long)handler > LAST_DISPOSITION || blocked >> (number - 1) & 1;
}

/* Whether a program would notice that this process stops and goes on: its own, of the SIGCONT, or
 * its parent's, of the SIGCHLD for each. */
static __always_inline bool is_noticed(struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	if (handles(task, SIGCONT))
		return true;
	return handles(parent, SIGCHLD) &&
	       !(BPF_CORE_READ(parent, sighand, action[SIGCHLD - 1].sa.sa_flags) & SA_NOCLDSTOP);
}

/* Whether somebody has begun to stop the process. Asked by one of its threads, which runs: it is not
 * stopped. A SIGSTOP more would wait in the queue, to be taken for somebody else's later. */
static __always_inline bool is_being_stopped(struct task_struct *task)
{
	unsigned long pending = BPF_CORE_READ(task, pending.signal.sig[0]) |
				BPF_CORE_READ(task, signal, shared_pending.signal.sig[0]);

	return pending & STOP_SIGNALS || BPF_CORE_READ(task, jobctl) & JOBCTL_STOP_PENDING;
}

#endif
