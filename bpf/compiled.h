/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames that no probe sees begin: in code that the JIT has compiled (3.14+), which is nobody's file.
 *
 * Compiled code pushes frames by itself, but has them popped by the interpreter's own function
 * (_RETURN_VALUE, Python/bytecodes.c), and so do exceptions: every end is seen. What began in
 * compiled code shows at the thread's next event at the latest: it is the frame that ends, or
 * lies below the one that an event is about, and has no slot (slots.h). It is reported then.
 *
 * A generator's frame keeps its slot while it is suspended, as its yields are not seen either. Those
 * that run are known from yields.h; one that has yielded and is sent to again in compiled code, by the
 * same frame, all between two events, is taken for one that goes on.
 */
#ifndef PYTRACE_COMPILED_H
#define PYTRACE_COMPILED_H

#include "detail.h"
#include "stack.h"

/* On the way down to the first frame of which user space knows. */
struct chain {
	__u64 frame;
	__u64 id;
	__u64 generator; /* the innermost that user space knows to run */
	__u32 depth;
	__u32 generators; /* found to run since */
	__u32 leaves; /* 1: the first frame is the one that ends */
	bool failed;
};

/* What tell_began() says beside the frame below, whose address has these bits clear. */
#define BEGAN_UNTOLD	1
#define BEGAN_COUNTED	2 /* it was an activation's */
#define BEGAN_RESUMABLE 4
#define BEGAN_BITS	7UL

static __always_inline bool report_began(__u64 frame, __u64 code, __u32 depth, __u64 id)
{
	struct event_running *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record)
		return false;
	fill_head(&record->head, EVENT_RUNNING, RUNNING_COMPILED, id);
	record->frame = frame;
	record->code = code;
	record->depth = depth;
	record->cut = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

/* Whether a generator's frame is that of a generator that runs. It may still be on its way to
 * RETURN_GENERATOR. Or an exception is thrown into what it awaits: then it only looks as if it ran, see
 * runs_still() in yields.h. */
static __always_inline bool is_running(__u64 frame, const struct frame_head *head)
{
	return FIELD(__u8, head, plan.frame_owner) == FRAME_OWNED_BY_GENERATOR &&
	       read_pointer(frame - GENERATOR_HEAD);
}

/* Reports a frame that began unseen, unless it is none of an activation; the frame below. `leaves`: it
 * is the one that ends. */
__noinline __u64 tell_began(__u64 frame, __u64 id, __u32 depth, __u32 leaves)
{
	struct scratch *scratch = take_scratch(id, 0);
	struct code_key key = {.tgid = id >> 32};
	struct code_state *state;
	struct frame_head *head;
	__u64 result;
	bool runs;
	__u8 verdict;

	if (!scratch)
		return BEGAN_UNTOLD;
	head = (struct frame_head *)scratch->frame;
	if (!read_frame(head, frame)) {
		give_back(scratch);
		return 0;
	}
	result = frame_previous(head) & ~BEGAN_BITS;
	key.code = is_entry_frame(head) ? 0 : frame_code(head);
	runs = leaves || is_running(frame, head);
	give_back(scratch);
	if (!key.code)
		return result;
	state = meet_code(&key, frame, id);
	if (!state)
		return BEGAN_UNTOLD;
	verdict = verdict_of(state, &key);
	if (verdict == VERDICT_SHIM || (state->resumable && !runs))
		return result;
	if (!report_began(frame, key.code, depth, id))
		return BEGAN_UNTOLD;
	keep_slot(frame, state, verdict, id);
	return result | BEGAN_COUNTED | (state->resumable ? BEGAN_RESUMABLE : 0);
}

/* Notes a generator that runs: after those that were found before, which lie above it. */
__noinline int note_generator(__u64 frame, __u64 id, __u32 found)
{
	struct generators *mine = new_generators(id);
	struct frame_head head;
	__u32 at;

	if (!mine || !read_frame(&head, frame))
		return 0;
	at = mine->top + found;
	if (at >= GENERATORS)
		return 0;
	mine->list[at] =
		(struct generator){frame, frame_previous(&head), with_version(frame_code(&head))};
	return 1;
}

/* How many generators can be found at once; of more, the thread's stack is looked at anew. */
#define GENERATORS_FOUND 64

/* Puts those that were noted in the order in which they lie. */
__noinline int order_generators(__u64 id, __u32 found)
{
	struct generators *mine = find_generators(id);

	if (!mine || found > GENERATORS_FOUND)
		return 0;
	for (__u32 i = 0; i < GENERATORS_FOUND / 2 && i < found / 2; i++) {
		struct generator *low = generator_at(mine, mine->top + i);
		struct generator *high = generator_at(mine, mine->top + found - 1 - i), lowest;

		if (!low || !high)
			return 0;
		lowest = *low;
		*low = *high;
		*high = lowest;
	}
	mine->top += found;
	return 1;
}

/* Whether user space knows that a frame runs. */
static __always_inline bool is_known(__u64 frame, __u64 generator, __u64 id)
{
	__u64 tag = *slot_of(frame, id) ^ slot_tag(frame, id);

	return tag <= SLOT_FLAGS && (!(tag & SLOT_RESUMABLE) || frame == generator);
}

/* Reports a frame and goes on to the one below; 1 at the end. */
static long chain_step(__u32 index, struct chain *chain)
{
	__u32 leaves = chain->leaves && !chain->depth;
	__u64 frame = chain->frame, below;

	if (!frame)
		return 1;
	if (is_known(frame, chain->generator, chain->id)) {
		chain->failed = !report_began(frame, 0, chain->depth, chain->id);
		chain->frame = 0;
		return 1;
	}
	below = tell_began(frame, chain->id, chain->depth, leaves);
	chain->failed = below & BEGAN_UNTOLD;
	if (chain->failed)
		return 1;
	chain->depth += below / BEGAN_COUNTED & 1;
	if (below & BEGAN_RESUMABLE && !leaves) {
		if (chain->generators >= GENERATORS_FOUND ||
		    !note_generator(frame, chain->id, chain->generators)) {
			chain->failed = true;
			return 1;
		}
		chain->generators++;
	}
	chain->frame = below & ~BEGAN_BITS;
	return 0;
}

__noinline int walk_chain(__u64 frame, __u64 id, __u64 generator, __u32 leaves)
{
	struct chain chain = {
		.frame = frame, .id = id, .generator = generator, .leaves = leaves != 0};

	/* Every kernel that these programs are for has loops. */
	bpf_loop(RUNNING_MAX, chain_step, &chain, 0);
	if (chain.failed || chain.frame)
		return 0;
	return !chain.generators || order_generators(id, chain.generators);
}

/* Sees to it that user space knows of all frames from `frame` on, which an event is about that
 * `leaves`, or on which that stands. Generators that have yielded have been settled (yields.h). False
 * where that was not possible. */
static __always_inline bool tell_compiled(__u64 frame, bool leaves, __u64 id)
{
	struct generators *mine;
	__u64 generator = 0;

	if (!frame || is_known(frame, 0, id))
		return true;
	if (may_have_generators(id)) {
		__u32 top;

		mine = find_generators(id);
		if (mine && mine->top > mine->bottom) {
			top = mine->top - 1;
			if (top < GENERATORS)
				generator = mine->list[top].frame;
		}
	}
	return is_known(frame, generator, id) || walk_chain(frame, id, generator, leaves);
}

/*
 * A thread does what else it has to do, on behalf of compiled code. If the frame is at a RESUME, that is
 * run again by the interpreter then (_HANDLE_PENDING_AND_DEOPT, Python/bytecodes.c, 3.15), which is no
 * resumption of its own: the frame may be known to run, from ENTER_EXECUTOR, or by what a signal handler
 * has made happen. Other instructions that have compiled code do that set the frame's instr_ptr first,
 * as they may call anything; here, that is where the generator went on (Python/optimizer_analysis.c,
 * remove_unneeded_uops), or before the POP_TOP at its start.
 */
__noinline int expect_again(__u64 frame, __u64 id)
{
	struct generators *mine;
	struct frame_head head;
	__u64 at;

	if (!frame || !read_frame(&head, frame) ||
	    FIELD(__u8, &head, plan.frame_owner) != FRAME_OWNED_BY_GENERATOR)
		return 0;
	at = FIELD(__u64, &head, plan.frame_lasti);
	if (executor_detail(at, &head, true) == ENTER_NONE &&
	    executor_detail(at + CODE_UNIT, &head, true) != ENTER_START)
		return 0;
	mine = new_generators(id);
	if (mine)
		mine->again = frame;
	return 0;
}

/* Whether an exception takes a frame away that has not run: its call was refused, as the stack of calls
 * was too deep. */
__noinline int never_ran(__u64 frame)
{
	struct frame_head head;

	return read_frame(&head, frame) &&
	       FIELD(__u64, &head, plan.frame_lasti) <= first_to_run(&head);
}

/*
 * The number of the register with the reference that a frame returns which compiled code is having
 * popped: _RETURN_VALUE keeps it in one that lasts, and then makes it the caller's top of the stack, which
 * is in rdi (`_tos_cache0`, the fifth argument of preserve_none; 3.15+, Python/jit.c and Tools/jit). The
 * instruction that does so is among the first behind the call. COOKIE_NO_REGISTER: not known.
 */
#define BEHIND_CALL 16
#define MOV_RDI_RBX 0xdf8948
#define MOV_RDI_RBP 0xef8948

__noinline int register_returned(__u64 caller)
{
	__u8 code[BEHIND_CALL];

	if (bpf_probe_read_user(code, sizeof(code), (void *)caller))
		return COOKIE_NO_REGISTER;
	for (int i = 0; i < BEHIND_CALL - 2; i++) {
		__u32 bytes = code[i] | code[i + 1] << 8 | code[i + 2] << 16;

		if (bytes == MOV_RDI_RBX)
			return 3;
		if (bytes == MOV_RDI_RBP)
			return 5;
	}
	return COOKIE_NO_REGISTER;
}

/* Where the function that has just been called returns to, if that is compiled code; else 0. */
static __always_inline __u64 compiled_caller(struct pt_regs *ctx, __u64 id)
{
	__u64 caller = read_pointer(ctx->rsp);
	struct process *process;
	__u32 tgid = id >> 32;

	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process)
		return 0;
	return caller - process->bias - plan.text < plan.text_bytes ? 0 : caller;
}

#endif
