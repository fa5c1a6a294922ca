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

#include "foreign.h"
#include "linker.h"
#include "pressure.h"

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

/* Its end is told here, to whoever then lets go whom we hold: pytrace's descriptors are of no use for
 * that, as it takes the kernel seconds to close those of probes. */
static __always_inline bool is_own_end(__u64 id)
{
	return id == ((__u64)own << 32 | own);
}

/* Births, starts and ends of processes that could not be told. */
__u64 untold;

int bpf_send_signal_task(struct task_struct *task, int sig, enum pid_type type,
			 __u64 value) __ksym __weak;

/* For Rust. */
enum watch _watch = 0;
struct watched _watched = {};
struct pressure _pressure = {};
struct stop _stop = {};
struct alarm _alarm = {};
enum alarm_kind _alarm_kind = 0;

/* Whether nobody would let a process go. */
static __always_inline bool is_absent(void)
{
	struct pressure *state = get_pressure();

	return !state || state->absent;
}

/* The same as send_stop(), to a newborn. */
static __always_inline bool send_stop_to(struct task_struct *newborn, struct stop *stop)
{
	__sync_fetch_and_add(&stop->due, 1);
	if (!bpf_send_signal_task(newborn, SIGSTOP, PIDTYPE_TGID, 0))
		return true;
	__sync_fetch_and_add(&stop->due, -1);
	return false;
}

/* Whether a process has got a SIGSTOP of ours, or is about to, and nobody has let it go on since. */
static __always_inline bool has_hold(__u32 tgid)
{
	struct stop *stop = bpf_map_lookup_elem(&stops, &tgid);

	return stop && (stop->held || stop->due) && !stop->let_go;
}

/* Stops a process at the time of a record, the current one or its newborn; whether it will stop. */
static __always_inline bool hold_at(__u64 time, __u32 tgid, struct watched *watched,
				    struct task_struct *newborn)
{
	struct stop *stop = is_absent() ? NULL : get_stop(tgid);

	if (!stop)
		return false;
	watched->held = time;
	if (newborn ? send_stop_to(newborn, stop) : send_stop(stop))
		return true;
	watched->held = 0;
	return false;
}

/* Sends the record of a process: the current one or, where a program may send that a signal, its
 * newborn. */
static __always_inline int send(__u8 kind, __u64 id, struct watched *watched, bool hold,
				struct task_struct *newborn)
{
	struct event_process *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record) {
		__sync_fetch_and_add(&untold, 1);
		return 0; /* not held: user space would not know to let it go */
	}
	fill_head(&record->head, kind, 0, id);
	record->parent = watched ? watched->parent : 0;
	record->held = kind == EVENT_PROCESS_END && has_hold(id >> 32);
	if (watched && hold)
		record->held = hold_at(record->head.time, id >> 32, watched, newborn);
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Whether a process is taken to live on while its child is held, so that it does not leave the child
 * in an orphaned group: one that was attached to has not begun just now. */
static __always_inline bool is_lasting(const struct watched *parent)
{
	return parent && parent->watch == WATCH_ONLY;
}

/* Before the child runs, which may share its parent's memory until it runs another program
 * (vfork, posix_spawn): then there is nothing to be traced in it, and its parent waits for it. */
static __always_inline int tell_fork(struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid), tgid = BPF_CORE_READ(child, tgid);
	struct watched watched = {.parent = parent_tgid, .watch = WATCH_HOLD};
	__u64 id = (__u64)tgid << 32 | tgid;
	__u8 yes = 1;

	if (tgid == parent_tgid || !bpf_map_lookup_elem(&targets, &parent_tgid))
		return 0;
	watched.newborn = bpf_map_lookup_elem(&pythons, &parent_tgid) &&
			  BPF_CORE_READ(parent, mm) != BPF_CORE_READ(child, mm);
	if (bpf_map_update_elem(&targets, &tgid, &watched, BPF_ANY)) {
		__sync_fetch_and_add(&untold, 1);
		return 0;
	}
	if (watched.newborn)
		bpf_map_update_elem(&pythons, &tgid, &yes, BPF_ANY);
	return send(EVENT_FORK, id, &watched, false, NULL);
}

/*
 * A newborn is held where the kernel makes it, if a program may send a signal to a process other than
 * the current one: bpf_send_signal_task(), Linux 6.13, 6280cf718db0. It stops before its first
 * instruction, as it has the signal when it runs first. A program of this type, as only such a one may
 * pass a task to the kernel.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork_hold, struct task_struct *parent, struct task_struct *child)
{
	struct watched *watched, *of_parent;
	__u32 tgid = child->tgid;

	tell_fork(parent, child);
	watched = bpf_map_lookup_elem(&targets, &tgid);
	if (!watched || !watched->newborn)
		return 0;
	watched->newborn = 0;
	of_parent = bpf_map_lookup_elem(&targets, &watched->parent);
	return send(EVENT_BORN, (__u64)tgid << 32 | tgid, watched,
		    may_stop(child) || is_lasting(of_parent), child);
}

/* Older kernels: it is held where it runs first. */
SEC("raw_tp/sched_process_fork")
int process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	return tell_fork((void *)ctx->args[0], (void *)ctx->args[1]);
}

/* A child's first return to user space is that of the system call which made it, with 0. Runs at
 * the end of each system call of the machine, and makes each some 90 ns slower: also those of
 * programs that have nothing to do with it. */
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
	return send(EVENT_BORN, id, watched,
		    may_stop((void *)bpf_get_current_task()) || is_lasting(parent), NULL);
}

static __always_inline int tell_start(__u8 kind, __u32 tgid, __u32 tid)
{
	__u64 id = (__u64)tgid << 32 | tid;
	struct watched *watched = bpf_map_lookup_elem(&targets, &tgid);

	if (!watched)
		return 0;
	return send(kind, id, watched,
		    watched->watch == WATCH_HOLD && may_stop((void *)bpf_get_current_task()), NULL);
}

/* The new program has replaced the old one and has not run an instruction yet. The thread that
 * called execve() is the process's main thread now, whichever it was; told is the id that it had. */
SEC("raw_tp/sched_process_exec")
int process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 caller = (__u64)tgid << 32 | (__u32)ctx->args[1];

	if (tell_loss(caller))
		bpf_map_delete_elem(&losses, &caller);
	bpf_map_delete_elem(&pythons, &tgid);
	return tell_start(EVENT_EXEC, tgid, ctx->args[1]);
}

/* On a dynamic executable's entry point: ld.so has mapped the libraries. */
SEC("uprobe")
int process_loaded(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	return tell_start(EVENT_LOADED, id >> 32, id);
}

/* On the function that a dynamic linker calls for debuggers whenever it has mapped libraries, before
 * anything of theirs runs: dlopen() may have mapped CPython's. The cookie is the distance from there
 * to the linker's struct r_debug. */
SEC("uprobe")
int process_mapped(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;

	if (bpf_map_lookup_elem(&pythons, &tgid) ||
	    !may_have_libpython(ctx->rip + bpf_get_attach_cookie(ctx)))
		return 0;
	return tell_start(EVENT_LOADED, tgid, id);
}

/* The same on kernels without cookies (before 5.15): whatever it has mapped. */
SEC("uprobe")
int process_mapped_any(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;

	return bpf_map_lookup_elem(&pythons, &tgid) ? 0 : tell_start(EVENT_LOADED, tgid, id);
}

/* Whenever a signal is sent in the system: those of no concern must cost next to nothing. */
SEC("raw_tp/signal_generate")
int signal_sent(struct bpf_raw_tracepoint_args *ctx)
{
	int number = ctx->args[0];

	if (number < SIGCONT || number > SIGTTOU)
		return 0;
	return note_signal(number, (void *)ctx->args[1], (void *)ctx->args[2], ctx->args[3],
			   ctx->args[4]);
}

/* Where an interpreter has its JIT compile code (3.14+), in a process that was taken to have it off. */
SEC("uprobe")
int code_compiled(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	return tell_start(EVENT_COMPILES, id >> 32, id);
}

/* At the start of the function by which an interpreter runs the user's program, or of that which makes
 * another one. */
SEC("uprobe")
int program_ready(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct watched *watched = bpf_map_lookup_elem(&targets, &tgid);
	struct event_ready *record;

	if (!watched)
		return 0;
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record) {
		__sync_fetch_and_add(&untold, 1);
		return 0;
	}
	fill_head(&record->head, EVENT_READY, 0, id);
	record->stack = ctx->rsp;
	record->result = ctx->rax;
	record->held = may_stop((void *)bpf_get_current_task()) &&
		       hold_at(record->head.time, tgid, watched, NULL);
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int thread_exit(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct pressure *state;

	if (is_own_end(id)) {
		state = get_pressure();
		if (state) {
			state->lossless = 0;
			state->absent = 1;
		}
		raise_alarm(ALARM_END, own, bpf_ktime_get_ns());
	}
	if (!bpf_map_lookup_elem(&targets, &tgid))
		return 0;
	if (tell_loss(id))
		bpf_map_delete_elem(&losses, &id);
	if (BPF_CORE_READ(task, signal, live.counter))
		return send(EVENT_THREAD_END, id, NULL, false, NULL);
	bpf_map_delete_elem(&targets, &tgid);
	bpf_map_delete_elem(&pythons, &tgid);
	bpf_map_delete_elem(&released, &tgid);
	bpf_map_delete_elem(&eased, &tgid);
	send(EVENT_PROCESS_END, id, NULL, false, NULL);
	bpf_map_delete_elem(&stops, &tgid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
