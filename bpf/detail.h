/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How activations begin and end: what a probe's meaning and the frame tell together.
 */
#ifndef PYTRACE_DETAIL_H
#define PYTRACE_DETAIL_H

#include "codes.h"

/*
 * A register by its number in instruction encodings. The verifier only allows constant
 * offsets into ctx; written as plain loads, clang would merge them into one at a computed
 * offset.
 */
#define LOAD_REGISTER(number, name)                                                                \
	case number:                                                                               \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                              \
			     : "=r"(value)                                                         \
			     : "r"(ctx), "i"(__builtin_offsetof(struct pt_regs, name)));           \
		break

static __always_inline __u64 read_register(struct pt_regs *ctx, __u8 number)
{
	__u64 value = 0;

	switch (number) {
		LOAD_REGISTER(0, rax);
		LOAD_REGISTER(1, rcx);
		LOAD_REGISTER(2, rdx);
		LOAD_REGISTER(3, rbx);
		LOAD_REGISTER(4, rsp);
		LOAD_REGISTER(5, rbp);
		LOAD_REGISTER(6, rsi);
		LOAD_REGISTER(7, rdi);
		LOAD_REGISTER(8, r8);
		LOAD_REGISTER(9, r9);
		LOAD_REGISTER(10, r10);
		LOAD_REGISTER(11, r11);
		LOAD_REGISTER(12, r12);
		LOAD_REGISTER(13, r13);
		LOAD_REGISTER(14, r14);
		LOAD_REGISTER(15, r15);
	}
	return value;
}

/*
 * Whether RESUME_CHECK is at the branch by which it gives up, and takes it: RESUME does the work
 * then, and has a probe of its own.
 */
#define EFLAGS_ZERO 6

static __always_inline bool gives_up(struct pt_regs *ctx, __u64 cookie)
{
	__u64 how = COOKIE_GIVES_UP(cookie);

	return how &&
	       how == (ctx->eflags >> EFLAGS_ZERO & 1 ? GIVES_UP_IF_ZERO : GIVES_UP_UNLESS_ZERO);
}

/* The instructions that a frame runs, 3.11+: those behind its code object, or its thread's copy of them
 * (Include/internal/pycore_interpframe.h, _PyFrame_GetBytecode). The array of copies may be replaced by a
 * longer one meanwhile: CPython keeps the old one until no thread uses it. */
static __always_inline __u64 instructions_of(const struct frame_head *head)
{
	__u64 code = frame_code(head), copies;

	if (!plan.code_copies)
		return code + plan.code_instructions;
	copies = read_pointer(code + plan.code_copies);
	return read_pointer(copies + plan.copies_items +
			    FIELD(__u32, head, plan.frame_copy) * sizeof(__u64));
}

/* Where in these the first traceable one is. */
static __always_inline __u64 first_to_run(const struct frame_head *head)
{
	return instructions_of(head) + first_traceable(frame_code(head));
}

/*
 * Whether a generator's frame has not got to its first RESUME, the first traceable instruction:
 * then an exception thrown into it is what starts it.
 */
static __always_inline bool is_unstarted(const struct frame_head *head)
{
	if (!plan.code_instructions)
		return FIELD(__s32, head, plan.frame_lasti) == -1;
	return FIELD(__u64, head, plan.frame_lasti) < first_to_run(head);
}

/* RESUME's argument where a generator expression is only being made (RESUME_AT_GENEXPR_START,
 * 3.15, Include/internal/pycore_opcode_utils.h): no activation. */
#define RESUME_AT_GENEXPR_START 4
#define ENTER_NONE		0xff

/* Reads the instruction at `address`; whether that is RESUME or one of its forms. */
static __always_inline bool read_resume(__u8 unit[CODE_UNIT], __u64 address)
{
	unit[0] = unit[1] = 0;
	bpf_probe_read_user(unit, CODE_UNIT, (void *)address);
	for (int i = 0; i < 4; i++)
		if (plan.resume_opcodes[i] && unit[0] == plan.resume_opcodes[i])
			return true;
	return false;
}

/* 3.11+: whether a generator's frame is to go on at a RESUME that is not its first. */
static __always_inline bool is_suspended_at_resume(const struct frame_head *head)
{
	__u8 unit[CODE_UNIT];

	return read_resume(unit, FIELD(__u64, head, plan.frame_lasti)) &&
	       unit[1] & plan.resume_location_mask;
}

/* Where the RESUME is that runs, by the register that points to its argument. */
static __always_inline __u64 resume_address(struct pt_regs *ctx, __u64 cookie)
{
	return read_register(ctx, COOKIE_EXTRA(cookie)) + COOKIE_DELTA(cookie) - 1;
}

/* Whether the frame agrees with that. */
static __always_inline bool is_at_own_instruction(struct pt_regs *ctx, __u64 cookie,
						  const struct frame_head *head)
{
	return resume_address(ctx, cookie) == FIELD(__u64, head, plan.frame_lasti);
}

/*
 * The argument of the RESUME that runs, under its mask. The register that points to it is
 * trusted where there is a RESUME; else the frame's own pointer is, where that leads to one.
 * A tracing tool may have put another instruction there (INSTRUMENTED_LINE), whose argument
 * is RESUME's all the same.
 */
static __always_inline __u8 resume_argument(struct pt_regs *ctx, __u64 cookie,
					    const struct frame_head *head)
{
	__u64 own = FIELD(__u64, head, plan.frame_lasti), at = resume_address(ctx, cookie);
	__u8 unit[CODE_UNIT], argument;

	if (!read_resume(unit, at) && at != own) {
		argument = unit[1];
		if (!read_resume(unit, own))
			unit[1] = argument;
	}
	return unit[1] & plan.resume_location_mask;
}

/* enum _frameowner: the frame is part of a generator. Else it is on the thread's stack. */
#define FRAME_OWNED_BY_GENERATOR 1

/*
 * function__entry tells no start from a resumption. Since 3.15 it also fires where a generator
 * function is called, which only makes the generator: its code runs up to RETURN_GENERATOR in
 * a frame on the thread's stack. That is no activation.
 */
static __always_inline __u8 usdt_enter_detail(const struct frame_head *head, bool resumable)
{
	if (!plan.code_instructions)
		return is_unstarted(head) ? ENTER_START : ENTER_RESUME;
	if (!resumable)
		return ENTER_START;
	if (FIELD(__u8, head, plan.frame_owner) != FRAME_OWNED_BY_GENERATOR)
		return ENTER_NONE;
	return is_suspended_at_resume(head) ? ENTER_RESUME : ENTER_START;
}

/*
 * ENTER_EXECUTOR stands in place of the instruction at which compiled code begins: since 3.15, that may
 * be a RESUME. What that would be told as; ENTER_NONE where it is another instruction.
 */
static __always_inline __u8 executor_detail(__u64 at, const struct frame_head *head, bool resumable)
{
	__u8 before[2 * CODE_UNIT] = {};

	if (!resumable)
		return at == first_to_run(head) ? ENTER_START : ENTER_NONE;
	bpf_probe_read_user(before, sizeof(before), (void *)(at - sizeof(before)));
	if (before[CODE_UNIT] == plan.yield_opcodes[0] ||
	    before[CODE_UNIT] == plan.yield_opcodes[1])
		return ENTER_RESUME;
	if (before[CODE_UNIT] == plan.pop_top_opcode && before[0] == plan.return_generator_opcode)
		return ENTER_START;
	return ENTER_NONE;
}

/* Start, resumption or throw: what the probe and the frame say. */
static __always_inline __u8 enter_detail(struct pt_regs *ctx, __u64 cookie,
					 const struct frame_head *head,
					 const struct code_state *state)
{
	bool resumable = state->resumable;
	__u8 argument;

	switch (COOKIE_KIND(cookie)) {
	case PROBE_THROW:
		return is_unstarted(head) ? ENTER_START : ENTER_THROW;
	case PROBE_RESUME:
		if (!resumable) /* nothing but a generator is ever resumed */
			return ENTER_START;
		if (state->first_resume && is_at_own_instruction(ctx, cookie, head))
			return FIELD(__u64, head, plan.frame_lasti) == state->first_resume
				       ? ENTER_START
				       : ENTER_RESUME;
		argument = resume_argument(ctx, cookie, head);
		if (argument == RESUME_AT_GENEXPR_START)
			return ENTER_NONE;
		return argument ? ENTER_RESUME : ENTER_START;
	case PROBE_EXECUTOR:
		return executor_detail(resume_address(ctx, cookie), head, resumable);
	case PROBE_USDT_ENTRY:
		return usdt_enter_detail(head, resumable);
	case PROBE_EVAL:
		if (COOKIE_EXTRA(cookie) != COOKIE_NO_REGISTER && resumable &&
		    !is_unstarted(head) && (__u32)read_register(ctx, COOKIE_EXTRA(cookie)))
			return ENTER_THROW;
		return is_unstarted(head) ? ENTER_START : ENTER_RESUME;
	}
	return ENTER_START;
}

/* Whether a frame that leaves the evaluator is suspended: generators only. */
__noinline int is_suspended(__u64 frame)
{
	struct frame_head head;
	__s8 state = 0;

	if (plan.code_instructions)
		return read_frame(&head, frame) &&
		       FIELD(__u8, &head, plan.frame_owner) == FRAME_OWNED_BY_GENERATOR &&
		       is_suspended_at_resume(&head);
	if (plan.frame_state == FRAME_STATE_STACKTOP)
		return read_pointer(frame + plan.frame_state_offset) != 0;
	if (plan.frame_state == FRAME_STATE_CHAR)
		bpf_probe_read_user(&state, 1, (void *)(frame + plan.frame_state_offset));
	return state == -1;
}

/* How an activation ended, where `raising` says whether an exception is being propagated. */
static __always_inline __u8 exit_detail(__u64 cookie, __u64 frame, bool raising, bool resumable)
{
	switch (COOKIE_KIND(cookie)) {
	case PROBE_RETURN:
	case PROBE_RETURN_CONST:
		return EXIT_RETURN;
	case PROBE_YIELD:
		return EXIT_YIELD;
	case PROBE_UNWIND:
		return EXIT_UNWIND;
	case PROBE_POP: /* nothing that yields is popped */
		return raising ? EXIT_UNWIND : EXIT_RETURN;
	}
	if (raising)
		return EXIT_UNWIND;
	return resumable && is_suspended(frame) ? EXIT_YIELD : EXIT_RETURN;
}

#endif
