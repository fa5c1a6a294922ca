/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kernels before 5.15 lack, and what stands in for it.
 *
 * These programs are compiled twice: for kernels from 5.15 on, and with BEFORE_5_15 for older ones
 * (frames_old.bpf.c). A switch in read-only data would not do: those kernels refuse instructions that
 * they don't know even where none is ever reached (kernel/bpf/verifier.c, resolve_pseudo_ldimm64()).
 * So newer kernels pay nothing for the old ones.
 *
 * Missing are: attach cookies (5.15), callbacks and with them loops (5.13), storage that belongs to
 * a thread, for programs that trace (5.12), compare-and-exchange (5.12), and pointers as arguments of
 * functions that the verifier looks at by themselves (5.12).
 */
#ifndef PYTRACE_KERNELS_H
#define PYTRACE_KERNELS_H

#include "event.h"
#include "python.h"

/* Whether the interpreter's JIT is on: frames_compiled.bpf.c. */
#ifdef WITH_COMPILED
#define COMPILED true
#else
#define COMPILED false
#endif

#ifndef BEFORE_5_15

#define HAS_LOOPS bpf_core_enum_value_exists(enum bpf_func_id___newer, BPF_FUNC_loop___newer)

/* What was attached together with the probe that has been reached. */
static __always_inline __u64 attach_cookie(struct pt_regs *ctx, enum probed_by program)
{
	return bpf_get_attach_cookie(ctx);
}

static __always_inline __u64 usdt_cookie(struct pt_regs *ctx, enum probed_by program)
{
	return bpf_usdt_cookie(ctx);
}

static __always_inline bool is_strange(__u64 cookie)
{
	return false;
}

/* Changes a word that several programs want to change, if none of them has. */
static __always_inline bool claim(__u64 *word, __u64 from, __u64 to)
{
	return __sync_val_compare_and_swap(word, from, to) == from;
}

#else

#define HAS_LOOPS false

/* As event.h says of enum probed_by. User space enters them before it attaches. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * PLAN_PROBES);
	__type(key, __u64); /* PROBE_PLACE() */
	__type(value, __u64);
} cookies SEC(".maps");

/* The kernel has put the instruction pointer back to the probe (kernel/events/uprobes.c,
 * handle_swbp()). */
static __always_inline __u64 attach_cookie(struct pt_regs *ctx, enum probed_by program)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = bpf_map_lookup_elem(&processes, &tgid);
	__u64 place, *cookie;

	if (!process)
		return COOKIE_NONE;
	place = PROBE_PLACE(ctx->rip - process->bias, program);
	cookie = bpf_map_lookup_elem(&cookies, &place);
	return cookie ? *cookie : COOKIE_NONE;
}

/* libbpf would find it by the instruction pointer alone, which copies of a process have in common:
 * it then refuses to attach to the second. */
static __always_inline __u64 usdt_cookie(struct pt_regs *ctx, enum probed_by program)
{
	return attach_cookie(ctx, program);
}

/* Whether the probe was reached by a process that is not ours: one that shares the memory of one of
 * ours until it runs another program. */
static __always_inline bool is_strange(__u64 cookie)
{
	return cookie == COOKIE_NONE;
}

/* On two processors at once, both may think that they have: a process is then stopped twice, or user
 * space woken, which does no harm. */
static __always_inline bool claim(__u64 *word, __u64 from, __u64 to)
{
	if (*word != from)
		return false;
	*word = to;
	return true;
}

#endif
#endif
