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

/* The only kernel structs read: a thread's fs base, through CO-RE. */
struct thread_struct {
	unsigned long fsbase;
} __attribute__((preserve_access_index));

struct task_struct {
	struct thread_struct thread;
} __attribute__((preserve_access_index));

#include "emit.h"
#include "python.h"
#include "method.h"

/* CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR: frames that can be resumed. */
#define CO_RESUMABLE 0x2a0

struct code_state {
	__u64 id; /* time of first sight: an address can be reused, this cannot */
	__u8 verdict;
	__u8 resumable;
	__u8 pad[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct code_key);
	__type(value, struct code_state);
} codes SEC(".maps");

/* Written by user space only, read once per code object. Apart from `codes` because user
 * space cannot compare and swap: its answer may come when the address is another's already. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct code_key);
	__type(value, struct answer);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* tgid */
	__type(value, struct process);
} processes SEC(".maps");

/* Opened once every probe of a process is on. */
bool ready;

/*
 * Frames whose start was sent, as a direct-mapped cache: an exit found here is sent
 * without reading anything. An entry that was overwritten by another frame's costs a
 * read of the frame at its exit, nothing else.
 *
 * A slot is the frame's address without its 3 low bits (44 bits), 18 bits of the thread
 * id, and two flags.
 */
#define SLOTS 65536
#define SLOT_INTERNAL 1
#define SLOT_RESUMABLE 2
#define SLOT_FLAGS 3
__u64 slots[SLOTS];

/* Threads whose stack user space knows: their id at index id % SEEN. */
#define SEEN 65536
__u32 seen[SEEN];

/* Types that only Rust needs: here they get into the BTF. */
struct event_code_short _event_code_short = {};
struct event_code_long _event_code_long = {};
struct event_enter _event_enter = {};
struct event_unwind _event_unwind = {};
struct event_running _event_running = {};
struct event_process _event_process = {};
enum event_kind _event_kind = 0;
enum enter _enter = 0;
enum exit _exit_detail = 0;
enum qualifier _qualifier = 0;
enum probe_kind _probe_kind = 0;
enum verdict _verdict = 0;
enum tstate_source _tstate_source = 0;
enum frame_state _frame_state = 0;

static __always_inline __u64 *slot_of(__u64 frame, __u32 tid)
{
	return &slots[(frame >> 4 ^ tid * 0x9e37) & (SLOTS - 1)];
}

static __always_inline __u64 slot_tag(__u64 frame, __u32 tid)
{
	return frame >> 3 << 20 | (tid & 0x3ffff) << 2;
}

/*
 * A register by its number in instruction encodings. The verifier only allows constant
 * offsets into ctx; written as plain loads, clang would merge them into one at a computed
 * offset.
 */
#define LOAD_REGISTER(number, name)                                                  \
	case number:                                                                  \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                 \
			     : "=r"(value)                                            \
			     : "r"(ctx), "i"(__builtin_offsetof(struct pt_regs, name))); \
		break

static __always_inline __u64 read_register(struct pt_regs *ctx, __u8 number)
{
	__u64 value = 0;

	switch (number) {
		LOAD_REGISTER(0, rax);
		LOAD_REGISTER(1, rcx);
		LOAD_REGISTER(2, rdx);
		LOAD_REGISTER(3, rbx);
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

static __always_inline __u64 find_frame(struct pt_regs *ctx, __u64 cookie, __u64 id)
{
	if (COOKIE_FRAME(cookie) == COOKIE_TSTATE)
		return current_frame(thread_state(&processes, id >> 32));
	return read_register(ctx, COOKIE_FRAME(cookie));
}

/* Copies a string's characters, at most `limit` bytes of them. */
static __always_inline void copy_text(struct string *string, __u8 *text, __u64 data, __u64 bytes,
				      __u32 limit)
{
	if (bytes > limit)
		bytes = limit;
	/* the verifier must see the bound on the very register it checks */
	asm volatile("" : "+r"(bytes));
	if (bytes > limit)
		return;
	string->data = data;
	if (bpf_probe_read_user(text, bytes, (void *)data)) {
		string->width = 0;
		bytes = 0;
	}
	string->bytes = bytes;
}

/* Reads the head of the string that qualifies a code object's name, as read_string_head(). */
static __always_inline __u64 read_qualifier(struct event_code *event, __u64 definition)
{
	__u64 address;

	if (!definition)
		return 0;
	if (definition & DEFINITION_CLASS) {
		event->head.detail = QUALIFIER_CLASS;
		address = (definition & ~(__u64)DEFINITION_CLASS) + plan.type_qualname;
	} else {
		event->head.detail = QUALIFIER_FUNCTION;
		address = definition + plan.function_qualname;
	}
	return read_string_head(&event->qualifier, read_pointer(address));
}

/*
 * Describes a code object to user space. Returns its co_flags; negative where the ring has no
 * room or the object can't be read. `definition` is what find_definition() says.
 *
 * Not static, like the other functions that take plain numbers only: the verifier then
 * looks at each once, and not again for each of its callers' states.
 */
__noinline __s64 emit_code(__u64 code, __u64 id, __u64 code_id, __u64 definition)
{
	__u64 filename_data, name_data, filename_bytes, name_bytes;
	__u64 qualifier_data = 0, qualifier_bytes = 0;
	struct event_code event = {};
	__u8 head[CODE_HEAD_MAX] __attribute__((aligned(8)));

	if (bpf_probe_read_user(head, plan.code_head, (void *)code))
		return -1;
	fill_head(&event.head, EVENT_CODE, 0, id);
	event.code = code;
	event.id = code_id;
	event.flags = *(__u32 *)(head + plan.code_flags);
	event.first_line = *(__u32 *)(head + plan.code_firstlineno);
	filename_data =
		read_string_head(&event.filename, *(__u64 *)(head + plan.code_filename));
	name_data = read_string_head(&event.name, *(__u64 *)(head + plan.code_name));
	filename_bytes = (__u64)event.filename.length * event.filename.width;
	name_bytes = (__u64)event.name.length * event.name.width;
	if (plan.frame_locals) {
		qualifier_data = read_qualifier(&event, definition);
		qualifier_bytes = (__u64)event.qualifier.length * event.qualifier.width;
		read_first_argument_name(event.first_argument, sizeof(event.first_argument), code);
	}

	if (filename_bytes <= STRING_SHORT && name_bytes <= STRING_SHORT &&
	    qualifier_bytes <= STRING_SHORT) {
		struct event_code_short *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

		if (!record)
			return -1;
		copy_text(&event.filename, record->text, filename_data, filename_bytes,
			  STRING_SHORT);
		copy_text(&event.name, record->text + STRING_SHORT, name_data, name_bytes,
			  STRING_SHORT);
		if (qualifier_bytes)
			copy_text(&event.qualifier, record->text + 2 * STRING_SHORT,
				  qualifier_data, qualifier_bytes, STRING_SHORT);
		record->code = event;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	} else {
		struct event_code_long *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

		if (!record)
			return -1;
		copy_text(&event.filename, record->text, filename_data, filename_bytes,
			  STRING_LONG);
		copy_text(&event.name, record->text + STRING_LONG, name_data, name_bytes,
			  STRING_LONG);
		if (qualifier_bytes)
			copy_text(&event.qualifier, record->text + 2 * STRING_LONG,
				  qualifier_data, qualifier_bytes, STRING_LONG);
		record->code = event;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	}
	return event.flags;
}

/* The state of the code object that `frame` runs; on first sight, user space is told of it
 * first. */
static __always_inline struct code_state *meet_code(const struct code_key *key, __u64 frame,
						    __u64 id)
{
	struct code_state *state = bpf_map_lookup_elem(&codes, key);
	struct code_state fresh = {};
	__u64 definition = 0;
	__s64 flags;

	if (state)
		return state;
	fresh.id = bpf_ktime_get_ns();
	if (plan.frame_locals)
		definition = find_definition(frame, key->code);
	flags = emit_code(key->code, id, fresh.id, definition);
	if (flags < 0)
		return NULL;
	fresh.resumable = (flags & CO_RESUMABLE) != 0;
	bpf_map_update_elem(&codes, key, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&codes, key);
}

static __always_inline __u8 verdict_of(struct code_state *state, const struct code_key *key)
{
	struct answer *answer;

	if (state->verdict != VERDICT_UNKNOWN)
		return state->verdict;
	answer = bpf_map_lookup_elem(&answers, key);
	if (answer && answer->id == state->id)
		state->verdict = answer->verdict;
	return state->verdict;
}

/*
 * The Python caller: the nearest frame from `frame` on that is an activation. Between them
 * may lie an entry frame (3.12+: C code called Python) and the shim of a specialised class
 * call (3.12+: its code object is never entered, so it is in no map).
 *
 * Returns the caller's verdict in the top byte, its frame in the rest; 0 where there is none.
 */
#define CALLER_FRAME(caller) ((caller) & ((1UL << 56) - 1))
#define CALLER_VERDICT(caller) ((caller) >> 56)

__noinline __u64 find_caller(__u64 frame, __u64 id)
{
	for (int i = 0; i < 4 && frame; i++) {
		struct code_key key = { .tgid = id >> 32 };
		struct code_state *state;
		struct frame_head head;
		__u64 tag = *slot_of(frame, id) ^ slot_tag(frame, id);

		if (tag <= SLOT_FLAGS && tag & SLOT_INTERNAL)
			return frame | (__u64)VERDICT_INTERNAL << 56;
		if (!read_frame(&head, frame))
			return 0;
		if (!is_entry_frame(&head)) {
			key.code = frame_code(&head);
			state = bpf_map_lookup_elem(&codes, &key);
			if (state)
				return frame | (__u64)verdict_of(state, &key) << 56;
			if (!plan.frame_owner)
				return 0;
		}
		frame = frame_previous(&head);
	}
	return 0;
}

static __always_inline bool is_outside(__u8 verdict)
{
	return verdict == VERDICT_EXTERNAL || verdict == VERDICT_IMPORT;
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

/* Reports a frame and goes on to the one below; 1 at the end. */
static long walk_step(__u32 index, struct walk *walk)
{
	struct code_key key = { .tgid = walk->id >> 32 };
	struct event_running *record;
	struct frame_head head;
	__u64 previous;

	if (!walk->frame || !read_frame(&head, walk->frame))
		return 1;
	previous = frame_previous(&head);
	if (!is_entry_frame(&head)) {
		key.code = frame_code(&head);
		walk->failed = true;
		if (!meet_code(&key, walk->frame, walk->id))
			return 1;
		record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
		if (!record)
			return 1;
		walk->failed = false;
		fill_head(&record->head, EVENT_RUNNING, 0, walk->id);
		record->frame = walk->frame;
		record->code = key.code;
		record->depth = walk->depth++;
		record->cut = index == walk->max - 1 && previous;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	}
	walk->frame = previous;
	return 0;
}

/* As in the kernel's enum, which the build machine's headers may be too old to have in full. */
enum bpf_func_id___newer {
	BPF_FUNC_loop___newer = 181,
};

/* Reports the frames from `frame` on, which user space has not seen start. */
__noinline int walk(__u64 frame, __u64 id)
{
	struct walk walk = { .frame = frame, .id = id, .max = RUNNING_MAX };

	if (bpf_core_enum_value_exists(enum bpf_func_id___newer, BPF_FUNC_loop___newer)) {
		bpf_loop(RUNNING_MAX, walk_step, &walk, 0);
		return !walk.failed;
	}
	walk.max = RUNNING_MAX_UNROLLED;
	for (__u32 i = 0; i < RUNNING_MAX_UNROLLED; i++)
		if (walk_step(i, &walk))
			break;
	return !walk.failed;
}

/* An event could not be recorded: the thread's stack is no longer known. */
static __always_inline int lose(__u64 id)
{
	count_loss(id);
	seen[(__u32)id & (SEEN - 1)] = 0;
	return 0;
}

/* Makes sure that user space knows the thread's stack, of which `frame` is the top. */
static __always_inline bool know_stack(__u64 frame, __u64 id)
{
	__u32 *thread = &seen[(__u32)id & (SEEN - 1)];

	if (*thread == (__u32)id)
		return true;
	if (!walk(frame, id))
		return false;
	*thread = (__u32)id;
	return true;
}

/*
 * Whether a generator's frame has not got to its first RESUME: then an exception thrown into
 * it is what starts it. 3.11+: the frame's instruction pointer is before the first traceable
 * instruction, whose index the code object has two words before its instructions
 * (_co_firsttraceable, then co_extra; 3.11 to 3.15, Include/cpython/code.h).
 */
#define CO_FIRSTTRACEABLE 16
#define CODE_UNIT 2

static __always_inline bool is_unstarted(const struct frame_head *head)
{
	__u64 instructions = frame_code(head) + plan.code_instructions;
	__s32 first = 0;

	if (!plan.code_instructions)
		return FIELD(__s32, head, plan.frame_lasti) == -1;
	bpf_probe_read_user(&first, sizeof(first), (void *)(instructions - CO_FIRSTTRACEABLE));
	return FIELD(__u64, head, plan.frame_lasti) < instructions + (__s64)first * CODE_UNIT;
}

/* RESUME's argument where a generator expression is only being made (RESUME_AT_GENEXPR_START,
 * 3.15, Include/internal/pycore_opcode_utils.h): no activation. */
#define RESUME_AT_GENEXPR_START 4
#define ENTER_NONE 0xff

/* 3.11+: whether a generator's frame is to go on at a RESUME that is not its first. */
static __always_inline bool is_suspended_at_resume(const struct frame_head *head)
{
	__u8 unit[CODE_UNIT] = {};

	bpf_probe_read_user(unit, sizeof(unit), (void *)FIELD(__u64, head, plan.frame_lasti));
	for (int i = 0; i < 4; i++)
		if (plan.resume_opcodes[i] && unit[0] == plan.resume_opcodes[i])
			return unit[1] & plan.resume_location_mask;
	return false;
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

/* Start, resumption or throw: what the probe and the frame say. */
static __always_inline __u8 enter_detail(struct pt_regs *ctx, __u64 cookie,
					 const struct frame_head *head, bool resumable)
{
	__u8 argument = 0;

	switch (COOKIE_KIND(cookie)) {
	case PROBE_THROW:
		return is_unstarted(head) ? ENTER_START : ENTER_THROW;
	case PROBE_RESUME:
		if (!resumable) /* nothing but a generator is ever resumed */
			return ENTER_START;
		bpf_probe_read_user(&argument, 1,
				    (void *)(read_register(ctx, COOKIE_EXTRA(cookie)) +
					     COOKIE_DELTA(cookie)));
		argument &= plan.resume_location_mask;
		if (argument == RESUME_AT_GENEXPR_START)
			return ENTER_NONE;
		return argument ? ENTER_RESUME : ENTER_START;
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

static __always_inline int enter(struct pt_regs *ctx, __u64 cookie)
{
	__u64 id = bpf_get_current_pid_tgid(), frame, previous;
	struct code_key key = { .tgid = id >> 32 };
	struct event_enter *record;
	struct code_state *state;
	struct frame_head head;
	__u64 *slot, tag;
	__u8 detail, verdict;

	if (!ready)
		return 0;
	frame = find_frame(ctx, cookie, id);
	if (!frame || !read_frame(&head, frame))
		return lose(id);
	key.code = frame_code(&head);
	state = meet_code(&key, frame, id);
	if (!state)
		return lose(id);

	previous = frame_previous(&head);
	verdict = verdict_of(state, &key);
	slot = slot_of(frame, id);
	tag = slot_tag(frame, id);
	if (is_outside(verdict)) {
		if (!concerns_scope(verdict, &previous, id)) {
			if ((*slot ^ tag) <= SLOT_FLAGS)
				*slot = 0; /* left by a frame whose exit no probe saw */
			return 0;
		}
	} else if (plan.frame_owner && previous) {
		if ((*slot_of(previous, id) ^ slot_tag(previous, id)) > SLOT_FLAGS)
			previous = CALLER_FRAME(find_caller(previous, id));
	}

	detail = enter_detail(ctx, cookie, &head, state->resumable);
	if (detail == ENTER_NONE)
		return 0;
	if (!know_stack(frame_previous(&head), id))
		return lose(id);
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record)
		return lose(id);
	fill_head(&record->head, EVENT_ENTER, detail, id);
	record->head.lost = losses_of(id);
	record->frame = frame;
	record->previous = previous;
	record->code = key.code;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);

	if (!is_outside(verdict))
		tag |= SLOT_INTERNAL;
	if (state->resumable)
		tag |= SLOT_RESUMABLE;
	*slot = tag;
	return 0;
}

/* Whether the exit of a frame that is in no slot must be sent. */
static __always_inline bool exit_concerns(__u64 frame, __u64 id, bool *resumable)
{
	struct code_key key = { .tgid = id >> 32 };
	struct code_state *state;
	struct frame_head head;
	__u64 caller;
	__u8 verdict;

	if (!read_frame(&head, frame))
		return false;
	key.code = frame_code(&head);
	state = bpf_map_lookup_elem(&codes, &key);
	if (!state)
		return false; /* never entered: the shim of a specialised class call */
	*resumable = state->resumable;
	verdict = verdict_of(state, &key);
	caller = frame_previous(&head);
	return !is_outside(verdict) || concerns_scope(verdict, &caller, id);
}

/* Whether a frame that leaves the evaluator is suspended: generators only. */
static __always_inline bool is_suspended(__u64 frame)
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

static __always_inline __u8 exit_detail(struct pt_regs *ctx, __u64 cookie, __u64 frame,
					__u64 tstate, bool resumable)
{
	bool raised = false;

	switch (COOKIE_KIND(cookie)) {
	case PROBE_RETURN:
		return EXIT_RETURN;
	case PROBE_YIELD:
		return EXIT_YIELD;
	case PROBE_UNWIND:
		return EXIT_UNWIND;
	case PROBE_EVAL_EXIT:
		if (COOKIE_EXTRA(cookie) != COOKIE_NO_REGISTER) {
			raised = !read_register(ctx, COOKIE_EXTRA(cookie));
			break;
		}
		/* fall through */
	default:
		raised = current_exception(tstate) != 0;
	}
	if (raised)
		return EXIT_UNWIND;
	return resumable && is_suspended(frame) ? EXIT_YIELD : EXIT_RETURN;
}

static __always_inline int leave(struct pt_regs *ctx, __u64 cookie)
{
	__u64 id = bpf_get_current_pid_tgid(), frame, tstate = 0, *slot, tag;
	bool resumable = false;
	__u8 kind = COOKIE_KIND(cookie), detail;

	if (!ready)
		return 0;
	frame = find_frame(ctx, cookie, id);
	if (!frame)
		return lose(id);
	slot = slot_of(frame, id);
	tag = *slot ^ slot_tag(frame, id);
	if (tag <= SLOT_FLAGS) {
		resumable = tag & SLOT_RESUMABLE;
		*slot = 0;
	} else if (!know_stack(frame, id)) {
		return lose(id);
	} else if (!exit_concerns(frame, id, &resumable)) {
		return 0;
	}

	if (kind == PROBE_POP)
		tstate = ctx->rdi;
	else if (kind == PROBE_UNWIND || kind == PROBE_EVAL_EXIT || kind == PROBE_USDT_RETURN)
		tstate = thread_state(&processes, id >> 32);
	detail = exit_detail(ctx, cookie, frame, tstate, resumable);
	if (!know_stack(frame, id))
		return lose(id);
	if (detail == EXIT_UNWIND) {
		struct event_unwind *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

		if (!record)
			return lose(id);
		fill_head(&record->exit.head, EVENT_EXIT, detail, id);
		record->exit.head.lost = losses_of(id);
		record->exit.frame = frame;
		read_exception_name(record->exception, sizeof(record->exception),
				    current_exception(tstate));
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	} else {
		struct event_exit *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

		if (!record)
			return lose(id);
		fill_head(&record->head, EVENT_EXIT, detail, id);
		record->head.lost = losses_of(id);
		record->frame = frame;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	}
	return 0;
}

SEC("uprobe")
int frame_enter(struct pt_regs *ctx)
{
	return enter(ctx, bpf_get_attach_cookie(ctx));
}

SEC("uprobe")
int frame_leave(struct pt_regs *ctx)
{
	return leave(ctx, bpf_get_attach_cookie(ctx));
}

SEC("usdt")
int function_entry(struct pt_regs *ctx)
{
	return enter(ctx, bpf_usdt_cookie(ctx));
}

SEC("usdt")
int function_return(struct pt_regs *ctx)
{
	return leave(ctx, bpf_usdt_cookie(ctx));
}

/* The address may be another code object's soon. */
SEC("uprobe")
int code_freed(struct pt_regs *ctx)
{
	struct code_key key = {
		.code = ctx->rdi,
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};

	if (!bpf_map_delete_elem(&codes, &key))
		bpf_map_delete_elem(&answers, &key);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
