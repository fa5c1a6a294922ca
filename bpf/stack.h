/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's stack: who calls, and what was there before the recording or behind a loss.
 */
#ifndef PYTRACE_STACK_H
#define PYTRACE_STACK_H

#include "codes.h"
#include "slots.h"
#include "yields.h"

/* Threads whose stack user space knows: their id at index id % SEEN. */
#define SEEN 65536
__u32 seen[SEEN];

/*
 * The Python caller: the nearest frame from `frame` on that is an activation. Between them
 * may lie an entry frame (3.12+: C code called Python) and the shim of a specialised class
 * call (3.12+: its code object is never entered, so it is in no map, unless walk() met it).
 *
 * Returns the caller's verdict in the top byte, its frame in the rest; 0 where there is none.
 */
#define CALLER_FRAME(caller)   ((caller) & ((1UL << 56) - 1))
#define CALLER_VERDICT(caller) ((caller) >> 56)

__noinline __u64 find_caller(__u64 frame, __u64 id)
{
	for (int i = 0; i < 4 && frame; i++) {
		struct code_key key = {.tgid = id >> 32};
		struct code_state *state;
		struct frame_head head;
		__u64 tag = *slot_of(frame, id) ^ slot_tag(frame, id), verdict;

		if (tag <= SLOT_FLAGS && tag & SLOT_INTERNAL)
			return frame | (__u64)VERDICT_INTERNAL << 56;
		if (!read_frame(&head, frame))
			return 0;
		if (!is_entry_frame(&head)) {
			key.code = frame_code(&head);
			state = bpf_map_lookup_elem(&codes, &key);
			verdict = state ? verdict_of(state, &key) : VERDICT_SHIM;
			if (verdict != VERDICT_SHIM)
				return frame | verdict << 56;
			if (!plan.frame_owner)
				return 0;
		}
		frame = frame_previous(&head);
	}
	return 0;
}

/* The frame whose instrumentation has a tool told of a C function: the one below the entry frame by which
 * that tool's callback was called, which calls what runs in `frame`, or calls what calls that. */
__noinline __u64 find_instrumented(__u64 frame)
{
	bool entered = false;

	for (int i = 0; i < 6 && frame; i++) {
		struct frame_head head;

		if (!read_frame(&head, frame))
			return 0;
		if (is_entry_frame(&head))
			entered = true;
		else if (entered)
			return frame;
		frame = frame_previous(&head);
	}
	return 0;
}

static __always_inline bool is_outside(__u8 verdict)
{
	return verdict == VERDICT_EXTERNAL || verdict == VERDICT_IMPORT;
}

/* With the JIT: a frame has been reported, and its end is to be sent. What it returns is looked for
 * without its slot's help. */
static __always_inline void keep_slot(__u64 frame, const struct code_state *state, __u8 verdict,
				      __u64 id)
{
	__u64 tag = slot_tag(frame, id);

	if (verdict == VERDICT_SHIM)
		return;
	if (!is_outside(verdict))
		tag |= SLOT_INTERNAL;
	if (state->resumable)
		tag |= SLOT_RESUMABLE;
	*slot_of(frame, id) = tag;
	slot_locals[slot_index(frame, id)] = locals_tag(frame, id) | LOCALS_UNKNOWN;
}

/* Whether code outside the scope is to be sent. `previous` becomes its Python caller. */
static __always_inline bool concerns_scope(__u8 verdict, __u64 *previous, __u64 id)
{
	__u64 caller;

	if (!plan.external_calls && verdict == VERDICT_EXTERNAL)
		return false;
	caller = find_caller(*previous, id);
	*previous = CALLER_FRAME(caller);
	return caller && !is_outside(CALLER_VERDICT(caller));
}

/* On the way down a stack that user space has not seen grow. */
struct walk {
	__u64 frame;
	__u64 id;
	__u32 depth;
	__u32 max;
	bool failed;
};

struct walk_room {
	struct frame_head head;
	struct code_key key;
	struct walk walk; /* where the kernel has no loops */
};

static __always_inline long walk_from(struct walk_room *room, __u32 index, struct walk *walk)
{
	struct frame_head *head = &room->head;
	struct event_running *record;
	struct code_state *state;
	__u64 previous;

	if (!walk->frame || !read_frame(head, walk->frame))
		return 1;
	previous = frame_previous(head);
	if (!is_entry_frame(head)) {
		room->key = (struct code_key){.code = frame_code(head), .tgid = walk->id >> 32};
		walk->failed = true;
		state = meet_code(&room->key, walk->frame, walk->id);
		if (!state)
			return 1;
		record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
		if (!record)
			return 1;
		walk->failed = false;
		fill_head(&record->head, EVENT_RUNNING, 0, walk->id);
		record->frame = walk->frame;
		record->code = room->key.code;
		record->depth = walk->depth++;
		record->cut = index == walk->max - 1 && previous;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
		/* There is no room for hundreds that are nested: those farthest out are then
		 * found to have yielded when their caller goes on. */
		if (plan.keep_generators && state->resumable)
			insert_generator(walk->frame, previous, room->key.code, walk->id);
		if (COMPILED)
			keep_slot(walk->frame, state, verdict_of(state, &room->key), walk->id);
	}
	walk->frame = previous;
	return 0;
}

/* Reports a frame and goes on to the one below; 1 at the end. */
static long walk_step(__u32 index, struct walk *walk)
{
	struct scratch *scratch = take_scratch(walk->id, 0);
	long ended;

	walk->failed = !scratch;
	if (!scratch)
		return 1;
	ended = walk_from(ROOM(scratch, struct walk_room), index, walk);
	give_back(scratch);
	return ended;
}

/* What walk_on() says beside the frame below, whose address has these bits clear. */
#define WALK_FAILED  1
#define WALK_COUNTED 2 /* the frame was an activation's */

/* A step where the kernel has no loops: looked at once, and not for each round of walk()'s. Returns
 * the frame below, 0 at the end. `depth`: how many were reported; `last`: whether it is the last step. */
__noinline __u64 walk_on(__u64 frame, __u64 id, __u32 depth, __u32 last)
{
	struct scratch *scratch = take_scratch(id, 0);
	struct walk_room *room;
	__u64 result;

	if (!scratch)
		return WALK_FAILED;
	room = ROOM(scratch, struct walk_room);
	room->walk = (struct walk){.frame = frame, .id = id, .depth = depth, .max = 1};
	result = walk_from(room, !last, &room->walk) ? 0 : room->walk.frame & ~3UL;
	if (room->walk.failed)
		result = WALK_FAILED;
	if (room->walk.depth > depth)
		result |= WALK_COUNTED;
	give_back(scratch);
	return result;
}

/* Reports the frames from `frame` on, which user space has not seen start. */
__noinline int walk(__u64 frame, __u64 id)
{
	struct walk walk = {.frame = frame, .id = id, .max = RUNNING_MAX};

	forget_generators(id);
	if (HAS_LOOPS) {
		bpf_loop(RUNNING_MAX, walk_step, &walk, 0);
		return !walk.failed;
	}
	for (__u32 i = 0; i < RUNNING_MAX_UNROLLED && frame; i++) {
		frame = walk_on(frame, id, walk.depth, i == RUNNING_MAX_UNROLLED - 1);
		if (frame & WALK_FAILED)
			return 0;
		walk.depth += frame / WALK_COUNTED & 1;
		frame &= ~3UL;
	}
	return 1;
}

/* User space does not know the thread's stack any more: it is reported before the next event. */
static __always_inline void forget_stack(__u64 id)
{
	seen[(__u32)id & (SEEN - 1)] = 0;
}

/* A start (EVENT_ENTER) or an end (EVENT_EXIT) could not be recorded: the thread's stack is no
 * longer known. */
static __always_inline int lose(__u64 id, enum event_kind kind)
{
	count_loss(id, kind);
	forget_stack(id);
	return 0;
}

/* The same, of an event that may not concern the scope. */
static __always_inline int lose_unjudged(__u64 id, enum event_kind kind)
{
	__sync_fetch_and_add(&lost_unjudged, 1);
	return lose(id, kind);
}

static __always_inline int lose_as(__u8 verdict, __u64 id, enum event_kind kind)
{
	return verdict == VERDICT_UNKNOWN ? lose_unjudged(id, kind) : lose(id, kind);
}

static __always_inline bool stack_is_known(__u64 id)
{
	return seen[(__u32)id & (SEEN - 1)] == (__u32)id;
}

/* Makes sure that user space knows the thread's stack, of which `frame` is the top, and what is
 * missing before it. */
static __always_inline bool know_stack(__u64 frame, __u64 id)
{
	__u32 *thread = &seen[(__u32)id & (SEEN - 1)];

	if (*thread == (__u32)id)
		return true;
	if ((lost_total && !tell_loss(id)) || !walk(frame, id))
		return false;
	*thread = (__u32)id;
	return true;
}

#endif
