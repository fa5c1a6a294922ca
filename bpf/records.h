/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of starts and ends, with what is given and given back.
 */
#ifndef PYTRACE_RECORDS_H
#define PYTRACE_RECORDS_H

#include "detail.h"
#include "values.h"

static __always_inline void fill_enter(struct event_enter *record, __u64 frame, __u64 previous,
				       __u64 code, __u8 detail, __u64 id)
{
	fill_head(&record->head, EVENT_ENTER, detail, id);
	record->frame = frame;
	record->previous = previous;
	record->code = code;
}

/* With emit_enter()'s detail. */
#define ENTER_DETAIL 0xffUL
#define ENTER_BEFORE_CELLS                                                                         \
	0x100UL /* the instructions that make cells of parameters are yet to run */
#define ENTER_HAS_LOCALS 0x200UL /* the first locals have been read with the frame's head */

/* How many these are. */
static __always_inline __u32 locals_in_head(void)
{
	__u32 first = values.frame_locals;

	return first < FRAME_HEAD_MAX ? (FRAME_HEAD_MAX - first) / sizeof(__u64) : 0;
}

/* Queues a frame's parameters. */
static __always_inline bool queue_parameters(struct scratch *scratch, __u64 frame,
					     const struct frame_head *head, __u64 detail,
					     const struct parameters *parameters)
{
	if (!(detail & ENTER_HAS_LOCALS) || parameters->count > locals_in_head())
		return queue_roots(scratch, frame + values.frame_locals, parameters->count,
				   DEPTH_REF * DEPTHS);
	for (__u32 i = 0; i < locals_in_head() && i < FRAME_HEAD_MAX / 8; i++)
		scratch->queue[i] = FIELD(__u64, head, values.frame_locals + i * 8);
	((__u64 *)scratch->depth)[0] = DEPTH_REF * DEPTHS;
	((__u64 *)scratch->depth)[1] = DEPTH_REF * DEPTHS;
	scratch->tail = parameters->count;
	return true;
}

/* The start of a function that has parameters; false where it could not be recorded. */
static __always_inline bool emit_start(struct scratch *scratch, __u64 frame, __u64 previous,
				       __u64 detail)
{
	const struct parameters *parameters = &scratch->parameters;
	const struct frame_head *head = (struct frame_head *)scratch->frame;
	struct event_enter *record;

	if (queue_parameters(scratch, frame, head, detail, parameters)) {
		if (!(detail & ENTER_BEFORE_CELLS) && (parameters->cells || parameters->captured))
			open_cells(pass_scratch(scratch), frame + values.frame_locals);
		if (parameters->is_method)
			scratch->depth[0] = DEPTH_REF | DEPTH_SHALLOW;
		capture(scratch, values.max_string, values.max_bytes);
	}
	record = (struct event_enter *)scratch->data;
	fill_enter(record, frame, previous, frame_code(head), ENTER_START, scratch->id);
	return output_scratch(scratch);
}

/* Records that an activation starts or goes on, the head of whose frame is in the place that is
 * passed; false where that was not possible. */
__noinline int emit_enter(scratch_arg passed, __u64 frame, __u64 previous, __u64 detail)
{
	struct scratch *scratch = passed_scratch(passed);
	struct event_enter *record;

	if (!scratch)
		return 0;
	if (values.wanted && (detail & ENTER_DETAIL) == ENTER_START && scratch->parameters.count)
		return emit_start(scratch, frame, previous, detail);
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record)
		return 0;
	fill_enter(record, frame, previous, frame_code((struct frame_head *)scratch->frame), detail,
		   scratch->id);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 1;
}

/* Whether an opcode is one of a pair: the plain one, and as tools that watch instrument it. */
static __always_inline bool is_either(__u8 opcode, const volatile __u8 pair[2])
{
	return opcode && (opcode == pair[0] || opcode == pair[1]);
}

/* The constant that an instruction returns; it has been stored as the frame's. */
static __always_inline __u64 constant_returned(const struct frame_head *head, __u64 instruction,
					       __u32 index)
{
	__u8 before[CODE_UNIT] = {};

	/* beyond the first 256 constants, an EXTENDED_ARG has the rest of the index */
	bpf_probe_read_user(before, sizeof(before), (void *)(instruction - CODE_UNIT));
	if (before[0] == values.extended_arg_opcode)
		index |= before[1] << 8;
	return read_pointer(read_pointer(frame_code(head) + values.code_consts) +
			    values.tuple_items + index * 8UL);
}

/*
 * The reference that a frame of so many locals returns, 3.11+. It was all that was on the frame's
 * stack (the compiler sees to that, and RETURN_VALUE asserts it), and is still there when it has
 * been taken off. Where the frame says that its stack ends cannot be relied upon: some builds have not
 * stored that when they get to the probe.
 */
static __always_inline __u64 top_of_empty(__u64 frame, __u32 locals)
{
	return read_pointer(frame + values.frame_locals + locals * 8UL);
}

/* How a frame gives back what it does. */
enum how {
	HOW_VALUE, /* by RETURN_VALUE */
	HOW_CONSTANT, /* by RETURN_CONST */
	HOW_UNKNOWN, /* by one of these, in the form that tools put in their place */
	HOW_YIELDED,
};

/* The reference that a frame returns, 3.11+; 0: not known. */
static __always_inline __u64 returned(const struct frame_head *head, __u64 frame, enum how how)
{
	__u64 instruction = FIELD(__u64, head, plan.frame_lasti);
	__u8 unit[CODE_UNIT] = {};
	__u32 locals = 0;

	if (values.return_const_opcodes[0] && how != HOW_VALUE) {
		bpf_probe_read_user(unit, sizeof(unit), (void *)instruction);
		if (how == HOW_CONSTANT || is_either(unit[0], values.return_const_opcodes))
			return constant_returned(head, instruction, unit[1]);
		/* as another instruction, put there by a tool, it may be either */
		if (!is_either(unit[0], values.return_opcodes))
			return 0;
	}
	if (bpf_probe_read_user(&locals, sizeof(locals),
				(void *)(frame_code(head) + values.code_nlocalsplus)) ||
	    locals > 1 << 20)
		return 0;
	return top_of_empty(frame, locals);
}

/* The reference that a frame yields, where no register leads to it, 3.11 and 3.12: it has just been
 * taken off its stack. Later versions may not have stored yet where that ends. */
static __always_inline __u64 yielded(const struct frame_head *head, __u64 frame)
{
	__s32 top = FIELD(__s32, head, plan.frame_state_offset); /* stacktop */

	if (values.attributes >= ATTRIBUTES_3_13 || top < 0 || top > 1 << 24)
		return 0;
	return read_pointer(frame + values.frame_locals + top * 8UL);
}

/* The reference that a frame gives back, 3.11+; 0: not known. */
__noinline __u64 given_back(__u64 frame, __u64 how)
{
	struct frame_head head;

	if (!values.wanted || !plan.code_instructions || !read_frame(&head, frame))
		return 0;
	return how == HOW_YIELDED ? yielded(&head, frame) : returned(&head, frame, how);
}

/* The exception that leaves a frame, as an object; up to 3.11 that may be what it is to be made of:
 * a str, a tuple, or nothing. */
static __always_inline __u64 exception_object(__u64 tstate)
{
	if (!tstate)
		return 0;
	/* curexc_value is behind curexc_type */
	return read_pointer(tstate + plan.tstate_exception + (plan.exception_is_type ? 8 : 0));
}

/* An end by an exception of which nothing is wanted but its type's name. */
static __always_inline bool emit_unwind(__u64 frame, __u64 tstate, __u64 id)
{
	struct event_unwind *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record)
		return false;
	fill_head(&record->exit.head, EVENT_EXIT, EXIT_UNWIND, id);
	record->exit.frame = frame;
	read_exception_name(record->exception, sizeof(record->exception), current_exception(tstate),
			    id);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

/* Records that an activation ends: with the object that it gives back, or else 0, or for EXIT_UNWIND
 * with the exception that the thread state has. False where that was not possible. */
__noinline int emit_exit(__u64 frame, __u64 detail, __u64 object, __u64 tstate)
{
	__u64 id = bpf_get_current_pid_tgid();
	bool unwinds = detail == EXIT_UNWIND;
	struct event_unwind *record;
	struct scratch *scratch;

	if (values.wanted && unwinds)
		object = exception_object(tstate);
	if (unwinds && !values.wanted)
		return emit_unwind(frame, tstate, id);
	if (!object && !unwinds) {
		struct event_exit *plain = bpf_ringbuf_reserve(&events, sizeof(*plain), 0);

		if (!plain)
			return 0;
		fill_head(&plain->head, EVENT_EXIT, detail, id);
		plain->frame = frame;
		bpf_ringbuf_submit(plain, BPF_RB_NO_WAKEUP);
		return 1;
	}
	scratch = take_scratch(id, unwinds ? sizeof(*record) : sizeof(record->exit));
	if (!scratch)
		return 0;
	scratch->queue[0] = object;
	scratch->depth[0] = DEPTH_REF;
	scratch->tail = 1;
	capture(scratch, values.max_string, values.max_bytes);
	record = (struct event_unwind *)scratch->data;
	fill_head(&record->exit.head, EVENT_EXIT, detail, id);
	record->exit.frame = frame;
	if (unwinds)
		read_exception_name(record->exception, sizeof(record->exception),
				    current_exception(tstate), id);
	return send_scratch(scratch);
}

#endif
