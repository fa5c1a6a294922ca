// SPDX-License-Identifier: GPL-2.0-only
/*
 * Activations of one interpreter build: what its probes mean, turned into records.
 *
 * Loaded once per build, with that build's plan as read-only data; every instance
 * writes into the same ring buffer (see process.bpf.c for the other writer).
 *
 * The kernel's part of the scope only spares records. User space applies the rules
 * to whatever arrives, so a verdict that is missing or late costs time, never truth.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/usdt.bpf.h>

#include "event.h"

#include "pressure.h"
#include "python.h"
#include "kernels.h"
#include "relieve.h"
#include "codes.h"
#include "slots.h"
#include "stack.h"
#include "detail.h"
#include "check.h"
#include "compiled.h"
#include "records.h"
#include "names.h"

/* Whose activations are recorded: nobody's until every probe of a process is on, then everybody's, or
 * one process's. */
__u32 recorded;

static __always_inline bool is_recorded(__u64 id)
{
	return recorded == EVERYBODY || recorded == id >> 32;
}

/* Types that only Rust needs: here they get into the BTF. */
struct event_code_short _event_code_short = {};
struct event_code_long _event_code_long = {};
struct event_enter _event_enter = {};
struct event_unwind _event_unwind = {};
struct event_running _event_running = {};
struct event_gap _event_gap = {};
struct loss _loss = {};
struct event_process _event_process = {};
struct event_ready _event_ready = {};
struct event_type _event_type = {};
struct event_parameters _event_parameters = {};
struct value _value = {};
struct recipe _recipe = {};
enum shape _shape = 0;
enum attribute_layout _attribute_layout = 0;
enum value_detail _value_detail = 0;
enum value_limits _value_limits = 0;
enum recipe_types _recipe_types = 0;
enum type_detail _type_detail = 0;
enum event_kind _event_kind = 0;
enum enter _enter = 0;
enum exit _exit_detail = 0;
enum qualifier _qualifier = 0;
enum probe_kind _probe_kind = 0;
enum probed_by _probed_by = 0;
enum gives_up _gives_up = 0;
enum running _running = 0;
enum verdict _verdict = 0;
enum check_state _check_state = 0;
enum string_width _string_width = 0;
enum tstate_source _tstate_source = 0;
enum frame_state _frame_state = 0;

/* 3.15's function__entry fires before a function's first instruction. A generator's frame has been
 * through those that come before RESUME when the generator was made. */
static __always_inline __u64 before_cells(__u64 cookie, const struct code_state *state)
{
	bool before = COOKIE_KIND(cookie) == PROBE_USDT_ENTRY && plan.code_instructions;

	return before && !state->resumable ? ENTER_BEFORE_CELLS : 0;
}

enum frame_read {
	FRAME_NOT_READ,
	FRAME_HEAD_READ,
	FRAME_WITH_LOCALS,
};

/* Reads a frame's head, and where values are wanted and lie there, what is behind it: at the price of
 * one read, unless a frame ends where its memory does. */
static __always_inline __u8 read_frame_and_locals(struct frame_head *head, __u64 frame)
{
	if (values.wanted && locals_in_head() &&
	    !bpf_probe_read_user(head->bytes, FRAME_HEAD_MAX, (void *)frame))
		return FRAME_WITH_LOCALS;
	return read_frame(head, frame) ? FRAME_HEAD_READ : FRAME_NOT_READ;
}

/* With the head of the frame in a place for records, which the record of a start needs anyway. */
static __always_inline int enter_with(struct scratch *scratch, struct pt_regs *ctx, __u64 cookie,
				      __u64 id)
{
	struct frame_head *head = (struct frame_head *)scratch->frame;
	__u64 frame, previous;
	struct code_key key = {.tgid = id >> 32};
	struct code_state *state;
	__u64 *slot, tag, versioned = 0;
	__u8 detail, verdict, has_locals;

	frame = find_frame(ctx, cookie, id);
	if (!frame || !(has_locals = read_frame_and_locals(head, frame)))
		return lose_unjudged(id, EVENT_ENTER);
	key.code = frame_code(head);
	state = meet_code(&key, frame, id);
	if (!state)
		return lose_unjudged(id, EVENT_ENTER);

	previous = frame_previous(head);
	verdict = verdict_of(state, &key);
	if (verdict == VERDICT_STANDS_IN) {
		previous = find_instrumented(previous);
		if (!previous)
			return 0;
	} else if (is_outside(verdict)) {
		if (!concerns_scope(verdict, &previous, id)) {
			slot = slot_of(frame, id);
			if ((*slot ^ slot_tag(frame, id)) <= SLOT_FLAGS)
				*slot = 0; /* left by a frame whose exit no probe saw */
			count_outside();
			return 0;
		}
	} else if (plan.frame_owner && previous) {
		if ((*slot_of(previous, id) ^ slot_tag(previous, id)) > SLOT_FLAGS)
			previous = CALLER_FRAME(find_caller(previous, id));
	}

	detail = enter_detail(ctx, cookie, head, state);
	if (detail == ENTER_NONE)
		return 0;
	if (verdict != VERDICT_UNKNOWN && is_crowded())
		return lose(id, EVENT_ENTER);
	if (!know_stack(frame_previous(head), id))
		return lose_as(verdict, id, EVENT_ENTER);
	if (plan.infer_yields && state->resumable)
		versioned = with_version(key.code);
	if (plan.infer_yields && may_have_generators(id)) {
		__u32 does = COOKIE_KIND(cookie) == PROBE_THROW ? DOES_THROW
			     : detail == ENTER_RESUME		? DOES_RESUME
								: DOES_START;
		int settled = settle_yields(frame, frame_previous(head), versioned, does, id);

		if (settled == SETTLED_AGAIN)
			detail = ENTER_RESUME_AGAIN;
		else if (settled)
			return settled == SETTLED_SAME ? 0 : lose_as(verdict, id, EVENT_ENTER);
	}
	if (COMPILED && !tell_compiled(frame_previous(head), false, id))
		return lose_as(verdict, id, EVENT_ENTER);
	if (values.wanted)
		scratch->parameters = state->parameters;
	if (!emit_enter(pass_scratch(scratch), frame, previous,
			detail | before_cells(cookie, state) |
				(has_locals == FRAME_WITH_LOCALS ? ENTER_HAS_LOCALS : 0)))
		return lose_as(verdict, id, EVENT_ENTER);
	if (verdict == VERDICT_STANDS_IN)
		return watch_ring(id); /* its end is not told */

	tag = slot_tag(frame, id);
	if (!is_outside(verdict))
		tag |= SLOT_INTERNAL;
	if (state->resumable)
		tag |= SLOT_RESUMABLE;
	*slot_of(frame, id) = tag;
	if (values.wanted)
		slot_locals[slot_index(frame, id)] =
			locals_tag(frame, id) | (__u16)state->parameters.nlocals;
	if (plan.keep_generators && state->resumable &&
	    push_generator(frame, frame_previous(head), versioned, id))
		return lose(id, EVENT_EXIT);
	return watch_ring(id);
}

static __always_inline int enter(struct pt_regs *ctx, __u64 cookie)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct scratch *scratch;
	int result;

	if (!is_recorded(id) || is_strange(cookie) || gives_up(ctx, cookie))
		return 0;
	scratch = take_scratch(id, sizeof(struct event_enter));
	if (!scratch)
		return lose_unjudged(id, EVENT_ENTER);
	result = enter_with(scratch, ctx, cookie, id);
	give_back(scratch);
	return result;
}

/* What is known of an exit whose frame is in no slot. */
#define EXIT_CONCERNS  1 /* it must be sent */
#define EXIT_RESUMABLE 2 /* the frame is a generator's */
#define EXIT_UNMET     4 /* its code object has never been seen, nor could be told of */
#define EXIT_UNJUDGED  8 /* user space has not said yet what it is */

__noinline int judge_exit(__u64 frame, __u64 id)
{
	struct code_key key = {.tgid = id >> 32};
	struct code_state *state;
	struct frame_head head;
	__u64 caller;
	__u8 verdict;
	int judged;

	if (!read_frame(&head, frame))
		return 0;
	key.code = frame_code(&head);
	state = COMPILED ? meet_code(&key, frame, id) : bpf_map_lookup_elem(&codes, &key);
	if (!state)
		return EXIT_UNMET;
	judged = state->resumable ? EXIT_RESUMABLE : 0;
	if (COMPILED && state->resumable &&
	    FIELD(__u8, &head, plan.frame_owner) != FRAME_OWNED_BY_GENERATOR)
		return 0; /* a generator was to be made, and could not */
	verdict = verdict_of(state, &key);
	caller = frame_previous(&head);
	if (verdict == VERDICT_SHIM || verdict == VERDICT_STANDS_IN)
		return 0;
	if (verdict == VERDICT_UNKNOWN)
		judged |= EXIT_UNJUDGED;
	if (!is_outside(verdict) || concerns_scope(verdict, &caller, id))
		judged |= EXIT_CONCERNS;
	return judged;
}

/* The object that an activation returns or yields, as a reference; 0: not known. */
static __always_inline __u64 object_given_back(struct pt_regs *ctx, __u64 cookie, __u64 frame,
					       __u8 detail, __u16 locals)
{
	switch (COOKIE_KIND(cookie)) {
	case PROBE_EVAL_EXIT:
		if (has_retval(&checks[COOKIE_PROBE(cookie)], cookie))
			return read_register(ctx, COOKIE_EXTRA(cookie));
		break;
	case PROBE_RETURN:
		if (locals != LOCALS_UNKNOWN)
			return top_of_empty(frame, locals);
		return given_back(frame, HOW_VALUE);
	case PROBE_RETURN_CONST:
		return given_back(frame, HOW_CONSTANT);
	case PROBE_YIELD:
		if (COOKIE_EXTRA(cookie) == COOKIE_STACK_POINTER)
			return read_pointer(read_pointer(frame + plan.frame_state_offset));
		if (COOKIE_EXTRA(cookie) != COOKIE_NO_REGISTER) {
			__u64 held = read_register(ctx, COOKIE_EXTRA(cookie));

			return COOKIE_IS_CALLER(cookie) ? held
							: read_pointer(held + COOKIE_DELTA(cookie));
		}
		return given_back(frame, HOW_YIELDED);
	case PROBE_POP:
		if (plan.text_bytes) {
			__u64 caller = compiled_caller(ctx, bpf_get_current_pid_tgid());

			if (caller)
				return read_register(ctx, register_returned(caller));
		}
		return given_back(frame, HOW_UNKNOWN);
	case PROBE_USDT_RETURN:
		return given_back(frame, detail == EXIT_YIELD ? HOW_YIELDED : HOW_UNKNOWN);
	}
	return 0;
}

/* How many locals a frame has whose start was sent. */
static __always_inline __u16 locals_of(__u64 frame, __u64 id)
{
	__u64 kept = slot_locals[slot_index(frame, id)];

	return (kept ^ locals_tag(frame, id)) <= 0xffff ? kept : LOCALS_UNKNOWN;
}

static __always_inline int lose_end(int judged, __u64 id)
{
	return judged & EXIT_UNJUDGED ? lose_unjudged(id, EVENT_EXIT) : lose(id, EVENT_EXIT);
}

static __always_inline int leave(struct pt_regs *ctx, __u64 cookie)
{
	__u64 id = bpf_get_current_pid_tgid(), frame, tstate, *slot, tag, object = 0;
	__u16 locals = LOCALS_UNKNOWN;
	bool resumable = false, told;
	int judged = EXIT_CONCERNS, settled = SETTLED;
	__u8 detail;

	if (!is_recorded(id) || is_strange(cookie))
		return 0;
	frame = find_frame(ctx, cookie, id);
	if (!frame)
		return lose_unjudged(id, EVENT_EXIT);
	if (COOKIE_IS_CALLER(cookie)) {
		/* Else that is looked at before the next event, without the generator. */
		if (!stack_is_known(id))
			return is_crowded() ? lose_unjudged(id, EVENT_EXIT) : 0;
		frame = take_generator(0, frame, id);
		if (!frame)
			return 0; /* its start was not sent */
	}
	slot = slot_of(frame, id);
	tag = *slot ^ slot_tag(frame, id);
	told = tag <= SLOT_FLAGS;
	if (COOKIE_IS_CALLER(cookie)) {
		resumable = true;
		if (told)
			*slot = 0;
	} else if (told) {
		resumable = tag & SLOT_RESUMABLE;
		*slot = 0;
		if (values.wanted && plan.code_instructions)
			locals = locals_of(frame, id);
		if (crowded) { /* its start may have been sent for want of a verdict only */
			judged = judge_exit(frame, id);
			if (judged & EXIT_UNMET)
				judged = EXIT_CONCERNS;
		}
	} else {
		judged = judge_exit(frame, id);
		if (judged & EXIT_UNMET) {
			/* A thread's first event, and the end of what ran before. Else it is the
			 * shim of a specialised class call, which is never entered. */
			if (stack_is_known(id))
				return COMPILED ? lose_unjudged(id, EVENT_EXIT) : 0;
			if (!know_stack(frame, id))
				return lose_unjudged(id, EVENT_EXIT);
			judged = judge_exit(frame, id);
		}
		resumable = judged & EXIT_RESUMABLE;
	}
	if (plan.keep_generators && !plan.infer_yields && resumable && !COOKIE_IS_CALLER(cookie))
		take_generator(frame, 0, id);
	if (!(judged & EXIT_CONCERNS))
		return 0;
	if (!(judged & EXIT_UNJUDGED) && is_crowded())
		return lose(id, EVENT_EXIT);

	tstate = leaving_thread_state(ctx, cookie, id);
	detail = exit_detail(cookie, frame, is_raising(ctx, cookie, tstate), resumable);
	if (COMPILED && !told && detail == EXIT_UNWIND && never_ran(frame))
		return 0;
	if (!know_stack(frame, id))
		return lose_end(judged, id);
	if (plan.infer_yields && may_have_generators(id))
		settled = settle_yields(frame, 0, 0, DOES_LEAVE, id);
	if (settled < 0)
		return lose_end(judged, id);
	if (COMPILED && !(told && (!resumable || settled == SETTLED_LEFT))) {
		if (!tell_compiled(frame, true, id))
			return lose_end(judged, id);
		*slot_of(frame, id) = 0;
	}
	if (values.wanted && detail != EXIT_UNWIND)
		object = object_given_back(ctx, cookie, frame, detail, locals);
	return emit_exit(frame, detail, object, tstate) ? watch_ring(id) : lose_end(judged, id);
}

SEC("uprobe")
int frame_enter(struct pt_regs *ctx)
{
	return enter(ctx, attach_cookie(ctx, PROBED_BY_ENTER));
}

SEC("uprobe")
int frame_leave(struct pt_regs *ctx)
{
	return leave(ctx, attach_cookie(ctx, PROBED_BY_LEAVE));
}

SEC("usdt")
int function_entry(struct pt_regs *ctx)
{
	return enter(ctx, usdt_cookie(ctx, PROBED_BY_USDT_ENTRY));
}

SEC("usdt")
int function_return(struct pt_regs *ctx)
{
	return leave(ctx, usdt_cookie(ctx, PROBED_BY_USDT_RETURN));
}

SEC("usdt")
int named_entry(struct pt_regs *ctx)
{
	return is_recorded(bpf_get_current_pid_tgid()) ? enter_named(ctx, bpf_usdt_cookie(ctx)) : 0;
}

SEC("usdt")
int named_return(struct pt_regs *ctx)
{
	return is_recorded(bpf_get_current_pid_tgid()) ? leave_named(ctx, bpf_usdt_cookie(ctx)) : 0;
}

/* 3.15+: function__entry has fired for a generator function that does not run yet. */
SEC("uprobe")
int generator_made(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	return is_recorded(id) ? emit_named_exit(0, EXIT_NEVER_RAN, id) : 0;
}

/* 3.15+, with the JIT: compiled code may be about to have a RESUME run again. */
SEC("uprobe")
int pending_handled(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (COMPILED && is_recorded(id) && compiled_caller(ctx, id))
		expect_again(current_frame(ctx->rdi), id);
	return 0;
}

/* The address may be another code object's, or another type's, soon. */
SEC("uprobe")
int object_freed(struct pt_regs *ctx)
{
	struct code_key key = {
		.code = ctx->rdi,
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};

	if (COOKIE_KIND(attach_cookie(ctx, PROBED_BY_FREED)) == PROBE_TYPE_FREED) {
		__sync_fetch_and_add(&types_freed, 1);
		forget_type(key.code, key.tgid);
	} else if (!bpf_map_delete_elem(&codes, &key))
		bpf_map_delete_elem(&answers, &key);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
