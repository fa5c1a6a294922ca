/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Yields that no probe sees (plan.infer_yields): found at the next event of their thread.
 *
 * Of a thread's running generators (generators.h), one that has yielded is suspended, or runs again
 * elsewhere, which its frame tells; or it runs again here, and that is an event. So which generators
 * have yielded before an event, and in which order, is exact. When they did is not: between the
 * thread's previous event and this one.
 */
#ifndef PYTRACE_YIELDS_H
#define PYTRACE_YIELDS_H

#include "detail.h"
#include "generators.h"

/* What a PyGenObject has before its frame (3.13: Include/internal/pycore_genobject.h): from
 * gi_exc_state.previous_item on, which is null unless the generator runs, up to gi_frame_state, a
 * char and four bytes of padding before the frame: in 3.13 the plan has seen YIELD_VALUE store
 * there, 3.14 and 3.15 have it in the same place. */
#define GENERATOR_HEAD	24
#define GENERATOR_STATE (GENERATOR_HEAD - 5)

/*
 * Whether a generator runs, and is in the same activation as when it was pushed.
 *
 * While an exception is thrown into what it awaits, a suspended generator is made to look as if it
 * ran (Objects/genobject.c, _gen_throw()): its state says so, and it has a caller. But it is not
 * made part of the stack of exceptions being handled.
 */
static __always_inline bool runs_still(const struct generator *generator)
{
	__u8 bytes[GENERATOR_HEAD + FRAME_HEAD_MAX] __attribute__((aligned(8)));
	struct frame_head *head = (void *)(bytes + GENERATOR_HEAD);

	if (bpf_probe_read_user(bytes, GENERATOR_HEAD + plan.frame_head,
				(void *)(generator->frame - GENERATOR_HEAD)))
		return false;
	return *(__u64 *)bytes && bytes[GENERATOR_STATE] == plan.generator_executing &&
	       frame_previous(head) == generator->previous &&
	       frame_code(head) << 16 == generator->code << 16;
}

static __always_inline bool report_yield(__u64 frame, __u64 id)
{
	struct event_exit *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record)
		return false;
	fill_head(&record->head, EVENT_EXIT, EXIT_YIELD_INFERRED, id);
	record->frame = frame;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

/* What a frame that an event is about does. */
enum does {
	DOES_START, /* by RESUME */
	DOES_RESUME, /* by RESUME */
	DOES_THROW, /* it resumes with an exception */
	DOES_LEAVE,
};

#define SETTLED	      0
#define SETTLED_SAME  1 /* RESUME is run again for the activation that was sent */
#define SETTLED_AGAIN 2 /* it has yielded, which the event about it is to tell */
#define SETTLED_LEFT  3 /* it is the one that leaves */

/* An event about a frame, for which the generators that have yielded before it are looked for. */
struct settling {
	struct generators *mine;
	__u64 frame;
	__u64 previous;
	__u64 code;
	__u64 id;
	__u32 does;
	bool again; /* it runs a RESUME that it has run */
	int result; /* SETTLED_AGAIN may yet become a yield of its own, before those of others */
};

static __always_inline long settle_yield(struct settling *settling, __u64 frame)
{
	if (settling->result == SETTLED_AGAIN) {
		settling->result = SETTLED;
		if (!report_yield(settling->frame, settling->id))
			settling->result = -1;
	}
	if (settling->result || report_yield(frame, settling->id))
		return settling->result != SETTLED;
	settling->result = -1;
	return 1;
}

/* Looks at the innermost generator; 1 when it is the last to look at. */
static long settle_step(__u32 index, struct settling *settling)
{
	struct generators *mine = settling->mine;
	__u32 at = mine->top - 1;
	struct generator *innermost;

	if (mine->top <= mine->bottom || at >= GENERATORS)
		return 1;
	innermost = &mine->list[at];
	if (innermost->frame != settling->frame) {
		if (runs_still(innermost))
			return 1;
		mine->top = at;
		return settle_yield(settling, innermost->frame);
	}
	if (settling->again) {
		settling->result = SETTLED_SAME;
		return 1;
	}
	if (settling->does <= DOES_RESUME) {
		__u64 now = settling->code;

		if (now != innermost->code && now << 16 == innermost->code << 16 &&
		    settling->previous == innermost->previous) {
			innermost->code = now;
			settling->result = SETTLED_SAME;
			return 1;
		}
	}
	mine->top = at;
	if (settling->does == DOES_LEAVE) {
		settling->result = SETTLED_LEFT;
		return 1;
	}
	if (settling->does == DOES_RESUME && settling->code == innermost->code) {
		settling->result = SETTLED_AGAIN;
		return 0;
	}
	return settle_yield(settling, innermost->frame);
}

/*
 * Before an event about `frame` is sent: reports the thread's generators that have yielded since
 * the last. `code` comes with its version. Negative where the ring has no room.
 *
 * A generator that resumes where it was running by all that is known has yielded in between. But
 * RESUME is run a second time once it has instrumented the code object, so that the version of
 * that is another; and where compiled code has found at it that there is something else to do first.
 */
__noinline int settle_yields(__u64 frame, __u64 previous, __u64 code, __u32 does, __u64 id)
{
	struct settling settling = {
		.frame = frame, .previous = previous, .code = code, .does = does, .id = id};

	settling.mine = find_generators(id);
	if (!settling.mine)
		return SETTLED;
	if (COMPILED && settling.mine->again == frame) {
		settling.mine->again = 0;
		settling.again = does <= DOES_RESUME;
	}
	if (HAS_LOOPS) {
		bpf_loop(GENERATORS, settle_step, &settling, 0);
		return settling.result;
	}
	for (__u32 i = 0; i < GENERATORS_UNROLLED; i++)
		if (settle_step(i, &settling))
			return settling.result;
	return -1; /* the stack is then looked at anew */
}

#endif
