/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The check of a plan while it runs: whether the frame that a probe's register is said to hold
 * is one, and is the one that the thread state says is running.
 *
 * Each probe's first hits are checked, whenever they come; afterwards that costs one load per
 * hit. Where the two disagree, the thread state is right, as it is the interpreter's own word.
 */
#ifndef PYTRACE_CHECK_H
#define PYTRACE_CHECK_H

#include "detail.h"

struct probe_check checks[PLAN_PROBES];

/* PyCode_Type.tp_name, "code" with its null byte: by which the type is told, as a program may have a
 * copy of that object. */
#define CODE_TYPE_NAME	     0x65646f63
#define CODE_TYPE_NAME_BYTES 5
#define USER_BITS	     47

enum looks_like {
	LOOKS_WRONG,
	LOOKS_LIKE_FRAME, /* it leads to an object of type code */
	LOOKS_UNKNOWN, /* that type's name is on a page that is not in memory */
};

static __always_inline enum looks_like look_at_frame(struct frame_head *head, __u64 frame)
{
	__u64 type = 0, text = 0, name = 0;

	if (!frame || !read_frame(head, frame) || is_entry_frame(head) ||
	    bpf_probe_read_user(&type, sizeof(type), (void *)(frame_code(head) + OB_TYPE)) ||
	    bpf_probe_read_user(&text, sizeof(text), (void *)(type + plan.type_name)))
		return LOOKS_WRONG;
	if (bpf_probe_read_user(&name, CODE_TYPE_NAME_BYTES, (void *)text))
		return text && text >> USER_BITS == 0 ? LOOKS_UNKNOWN : LOOKS_WRONG;
	return name == CODE_TYPE_NAME ? LOOKS_LIKE_FRAME : LOOKS_WRONG;
}

/* Whether a thread state is the current thread's: its thread_id is the address of the thread's
 * own control block, as pthread_self() has it, in every pid namespace. */
static __always_inline bool is_own(__u64 tstate)
{
	return tstate && read_pointer(tstate + plan.tstate_thread_id) == fs_base();
}

static __always_inline bool is_entry_probe(__u64 cookie)
{
	switch (COOKIE_KIND(cookie)) {
	case PROBE_RESUME:
	case PROBE_EVAL:
	case PROBE_THROW:
	case PROBE_USDT_ENTRY:
	case PROBE_EXECUTOR:
		return true;
	}
	return false;
}

/* Whether a frame that leaves the evaluator is next to the one that the thread state says is
 * running: that itself, or its caller already. A generator that has yielded has no caller
 * any more. */
static __always_inline bool is_leaving(const struct frame_head *head, __u64 frame, __u64 current)
{
	__u64 previous = frame_previous(head);

	return current == frame || current == previous || !previous;
}

/* Counts a hit, and after the last one decides. */
static __always_inline void count_check(struct probe_check *check, bool agreed, bool replaceable)
{
	if (!agreed)
		__sync_fetch_and_add(&check->disagreed, 1);
	__sync_fetch_and_add(&check->hits, 1);
	if (check->hits < CHECK_HITS || check->state != CHECK_PENDING)
		return;
	if (check->disagreed * CHECK_TOLERANCE <= check->hits)
		check->state = CHECK_PASSED;
	else
		check->state = replaceable ? CHECK_THREAD_STATE : CHECK_FAILED;
}

/*
 * Checks the frame that a probe's register holds. Returns the frame to go by: that one, or the
 * thread state's; 0 where neither is a frame.
 */
__noinline __u64 check_frame(__u64 frame, __u64 cookie, __u64 id)
{
	struct probe_check *check = &checks[COOKIE_PROBE(cookie)];
	bool entry = is_entry_probe(cookie), agreed;
	struct frame_head head;
	enum looks_like looks = look_at_frame(&head, frame);
	__u64 tstate, current;

	if (looks == LOOKS_UNKNOWN)
		return frame; /* and the next hit is looked at */
	agreed = looks == LOOKS_LIKE_FRAME;
	tstate = thread_state(id);
	if (!is_own(tstate)) {
		/* Nothing to compare with but the objects themselves. */
		count_check(check, agreed, false);
		return agreed ? frame : 0;
	}
	current = current_frame(tstate);
	if (agreed && (entry ? current == frame : is_leaving(&head, frame, current))) {
		count_check(check, true, false);
		return frame;
	}
	if (!entry) {
		count_check(check, false, false);
		return agreed ? frame : 0;
	}
	agreed = look_at_frame(&head, current) != LOOKS_WRONG;
	count_check(check, false, agreed);
	return agreed ? current : 0;
}

/* The frame that a probe's register, or a place on the stack, is said to hold. */
static __always_inline __u64 frame_told(struct pt_regs *ctx, __u64 cookie)
{
	__u64 held = read_register(ctx, COOKIE_FRAME(cookie));

	if (COOKIE_ON_STACK(cookie))
		return read_pointer(held + COOKIE_SLOT(cookie) * sizeof(__u64));
	return held;
}

/* Checks the frame to which a generator is said to have yielded: it is the current one. Returns that;
 * 0 where it is another. */
__noinline __u64 check_caller(__u64 caller, __u64 cookie, __u64 id)
{
	__u64 tstate = thread_state(id);
	bool agreed = caller && (!is_own(tstate) || current_frame(tstate) == caller);

	count_check(&checks[COOKIE_PROBE(cookie)], agreed, false);
	return agreed ? caller : 0;
}

/* The frame that a probe concerns or, of a COOKIE_IS_CALLER, the one that was yielded to; 0 where it
 * can't be told. */
static __always_inline __u64 find_frame(struct pt_regs *ctx, __u64 cookie, __u64 id)
{
	struct probe_check *check = &checks[COOKIE_PROBE(cookie)];
	__u64 frame;

	if (check->state == CHECK_FAILED)
		return 0;
	if (COOKIE_FRAME(cookie) == COOKIE_TSTATE || check->state == CHECK_THREAD_STATE)
		frame = current_frame(thread_state(id));
	else
		frame = frame_told(ctx, cookie);
	if (check->state != CHECK_PENDING)
		return frame;
	return COOKIE_IS_CALLER(cookie) ? check_caller(frame, cookie, id)
					: check_frame(frame, cookie, id);
}

/*
 * Whether a value is returned by the evaluator (up to 3.10), or an exception leaves it: so says
 * the register with the value. While the probe is being checked, the thread state is asked as
 * well, and its word holds.
 */
static __always_inline bool has_retval(struct probe_check *check, __u64 cookie)
{
	return COOKIE_KIND(cookie) == PROBE_EVAL_EXIT &&
	       COOKIE_EXTRA(cookie) != COOKIE_NO_REGISTER && !check->no_retval;
}

/* The thread state, where it takes one to tell how a frame is left. */
static __always_inline __u64 leaving_thread_state(struct pt_regs *ctx, __u64 cookie, __u64 id)
{
	struct probe_check *check = &checks[COOKIE_PROBE(cookie)];

	switch (COOKIE_KIND(cookie)) {
	case PROBE_POP:
		if (COOKIE_EXTRA(cookie) != COOKIE_NO_REGISTER)
			return read_register(ctx, COOKIE_EXTRA(cookie));
		break;
	case PROBE_EVAL_EXIT:
		if (check->state != CHECK_PENDING && has_retval(check, cookie) &&
		    read_register(ctx, COOKIE_EXTRA(cookie)))
			return 0;
		break;
	case PROBE_RETURN:
	case PROBE_RETURN_CONST:
	case PROBE_YIELD:
		return 0;
	}
	return thread_state(id);
}

static __always_inline bool is_raising(struct pt_regs *ctx, __u64 cookie, __u64 tstate)
{
	struct probe_check *check = &checks[COOKIE_PROBE(cookie)];
	bool returns;

	if (!has_retval(check, cookie))
		return current_exception(tstate) != 0;
	returns = read_register(ctx, COOKIE_EXTRA(cookie)) != 0;
	if (check->state == CHECK_PENDING && tstate &&
	    returns == (current_exception(tstate) != 0)) {
		check->no_retval = true;
		return returns;
	}
	return !returns;
}

#endif
