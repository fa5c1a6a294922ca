/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What others do about the stops of a process that we stop as well.
 *
 * A process knows but one stop. A SIGSTOP of somebody else's that comes while ours has not been acted on
 * is one with it, as such signals do not queue; and our SIGCONT, which ends our stop, ends theirs with it,
 * or takes it away while it is still waiting. So this looks at each such signal where it is generated:
 * under the receiver's lock, so that of two signals one is first (kernel/signal.c,
 * __send_signal_locked()). It keeps
 *
 * - what others want: their stop signals since their last SIGCONT,
 * - what user space owes: a signal of its own may come too late and undo what others have done since it
 *   looked. Whatever that was, it is known right here, and user space sends it on their behalf.
 *
 * A SIGSTOP of ours is told by its being due: bpf_send_signal() may leave it to an interrupt, which comes
 * after the helper has returned (Linux 6.14, commit 87c544108b61, and stable kernels).
 */
#ifndef PYTRACE_FOREIGN_H
#define PYTRACE_FOREIGN_H

#include "pressure.h"

/* Linux, include/trace/events/signal.h: the last argument of signal_generate. All arguments are the same
 * from Linux 5.10 to 7.2. */
#define TRACE_SIGNAL_IGNORED	     1
#define TRACE_SIGNAL_ALREADY_PENDING 2
/* Linux, include/linux/sched/signal.h: in place of a pointer, it is the kernel's own signal. */
#define SEND_SIG_PRIV 1UL
/* Linux, include/uapi/asm-generic/siginfo.h */
#define SI_KERNEL 0x80

#define SIGNAL_BIT(number) (1U << ((number)-1))

struct kernel_siginfo {
	int si_code;
} __attribute__((preserve_access_index));

/* pytrace's own process. */
const volatile __u32 own;
/* The watchdog's. */
__u32 watchdog;

/* Whether a signal comes from inside the kernel, as those that a kernel program sends. */
static __always_inline bool is_from_kernel(struct kernel_siginfo *info)
{
	return (unsigned long)info == SEND_SIG_PRIV ||
	       ((unsigned long)info > SEND_SIG_PRIV && BPF_CORE_READ(info, si_code) == SI_KERNEL);
}

/*
 * The process gets a SIGSTOP of ours. As one of its threads runs, nobody else's stop is in force but for
 * those that are about to be, or that are owed: what was wanted before has ended in another way, such as
 * by a debugger. (A SIGSTOP to one other thread of the process can't be seen from here.)
 *
 * A SIGSTOP that is waiting already counts if it was seen who sent it. Else it may be another kernel
 * program's, such as that of a second recording: if each waited for the other to end its stop, nobody
 * would.
 */
static __always_inline void begin_hold(struct stop *stop, struct task_struct *task, int result)
{
	unsigned long all = BPF_CORE_READ(task, signal, shared_pending.signal.sig[0]);

	if (stop->held)
		return;
	stop->held = 1;
	if (result != TRACE_SIGNAL_ALREADY_PENDING || !(stop->wanted & SIGNAL_BIT(SIGSTOP)))
		all &= ~(unsigned long)SIGNAL_BIT(SIGSTOP);
	all |= BPF_CORE_READ(task, pending.signal.sig[0]) | stop->owed;
	if (BPF_CORE_READ(task, jobctl) & JOBCTL_STOP_PENDING)
		all |= stop->wanted;
	stop->wanted = all & STOP_SIGNALS;
}

/* User space has sent a signal, to end a hold or for what it owes. */
static __always_inline void note_own(struct stop *stop, int number)
{
	if (number == SIGCONT) {
		stop->held = stop->let_go = 0;
		stop->owed = stop->wanted;
	} else if (stop->owed & SIGNAL_BIT(number)) {
		stop->owed &= ~SIGNAL_BIT(number);
	} else {
		/* somebody has let the process go on since user space looked */
		stop->owed |= SIGNAL_BIT(SIGCONT);
	}
}

/* A stop signal or a SIGCONT is sent to a thread, or to all of a process. */
static __always_inline int note_signal(int number, struct kernel_siginfo *info,
				       struct task_struct *task, bool to_all, int result)
{
	__u32 tgid = BPF_CORE_READ(task, tgid), sender = bpf_get_current_pid_tgid() >> 32;
	struct stop *stop = bpf_map_lookup_elem(&stops, &tgid);
	bool by_kernel = is_from_kernel(info), by_us = sender == own || sender == watchdog;

	if (!stop)
		return 0;
	if (number == SIGSTOP && to_all && stop->due && (by_us || by_kernel)) {
		/* in this order: in between, it must not look as if it had been let go */
		begin_hold(stop, task, result);
		__sync_fetch_and_add(&stop->due, -1);
	} else if (number == SIGSTOP && by_kernel) {
		/* another kernel program's, which ends it: the kernel has none of its own */
		return 0;
	} else if (by_us && !by_kernel) {
		/* not what a terminal sends as we write to it */
		note_own(stop, number);
	} else if (number == SIGCONT) {
		stop->let_go |= stop->held;
		stop->held = stop->wanted = stop->owed = 0;
	} else if (result != TRACE_SIGNAL_IGNORED && !BPF_CORE_READ(task, ptrace)) {
		/* with a debugger, it is for that to say what becomes of it */
		stop->wanted |= SIGNAL_BIT(number);
	}
	return 0;
}

#endif
