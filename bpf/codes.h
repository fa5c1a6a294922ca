/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Code objects: described to user space at first sight, then known by its verdict.
 */
#ifndef PYTRACE_CODES_H
#define PYTRACE_CODES_H

#include "emit.h"
#include "python.h"
#include "method.h"
#include "parameters.h"

/* CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR: frames that can be resumed. */
#define CO_RESUMABLE 0x2a0

struct code_state {
	__u64 id; /* time of first sight, before which no answer is about it: an address can be reused */
	__u64 first_resume; /* address of a generator's first RESUME, if known: all others are resumptions */
	__u8 verdict;
	__u8 resumable;
	__u8 pad[6];
	struct parameters parameters;
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

/* The one code object whose file name is its name, the very same str: what lies under a
 * specialised class call's __init__ (3.12+, Objects/codeobject.c and Python/specialize.c,
 * _Py_InitCleanup). */
#define EMIT_SHIM (1L << 32)
/* It stands for a C function. */
#define EMIT_STANDS_IN (1L << 33)

struct code_room {
	struct event_code event;
	__u8 head[CODE_HEAD_MAX] __attribute__((aligned(8)));
};

static __always_inline __s64 tell_code(struct code_room *room, __u64 code, __u64 id, __u64 code_id,
				       __u64 definition)
{
	bool is_shim;
	__u64 filename_data, name_data, filename_bytes, name_bytes;
	__u64 qualifier_data = 0, qualifier_bytes = 0;
	struct event_code *event = &room->event;
	__u8 *head = room->head;

	__builtin_memset(event, 0, sizeof(*event));
	if (bpf_probe_read_user(head, plan.code_head, (void *)code))
		return -1;
	fill_head(&event->head, EVENT_CODE, 0, id);
	event->code = code;
	event->id = code_id;
	event->flags = *(__u32 *)(head + plan.code_flags);
	event->first_line = *(__u32 *)(head + plan.code_firstlineno);
	is_shim = *(__u64 *)(head + plan.code_filename) == *(__u64 *)(head + plan.code_name);
	filename_data = read_string_head(&event->filename, *(__u64 *)(head + plan.code_filename));
	name_data = read_string_head(&event->name, *(__u64 *)(head + plan.code_name));
	filename_bytes = (__u64)event->filename.length * event->filename.width;
	name_bytes = (__u64)event->name.length * event->name.width;
	if (plan.frame_locals) {
		qualifier_data = read_qualifier(event, definition);
		qualifier_bytes = (__u64)event->qualifier.length * event->qualifier.width;
		read_first_argument_name(event->first_argument, sizeof(event->first_argument),
					 code);
	}

	if (filename_bytes <= STRING_SHORT && name_bytes <= STRING_SHORT &&
	    qualifier_bytes <= STRING_SHORT) {
		struct event_code_short *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

		if (!record)
			return -1;
		copy_text(&event->filename, record->text, filename_data, filename_bytes,
			  STRING_SHORT);
		copy_text(&event->name, record->text + STRING_SHORT, name_data, name_bytes,
			  STRING_SHORT);
		if (qualifier_bytes)
			copy_text(&event->qualifier, record->text + 2 * STRING_SHORT,
				  qualifier_data, qualifier_bytes, STRING_SHORT);
		record->code = *event;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	} else {
		struct event_code_long *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

		if (!record)
			return -1;
		copy_text(&event->filename, record->text, filename_data, filename_bytes,
			  STRING_LONG);
		copy_text(&event->name, record->text + STRING_LONG, name_data, name_bytes,
			  STRING_LONG);
		if (qualifier_bytes)
			copy_text(&event->qualifier, record->text + 2 * STRING_LONG, qualifier_data,
				  qualifier_bytes, STRING_LONG);
		record->code = *event;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	}
	return event->flags | (is_shim ? EMIT_SHIM : 0) |
	       (event->first_line == STAND_IN_LINE ? EMIT_STANDS_IN : 0);
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
	struct scratch *scratch = take_scratch(id, 0);
	__s64 flags;

	if (!scratch)
		return -1;
	flags = tell_code(ROOM(scratch, struct code_room), code, id, code_id, definition);
	give_back(scratch);
	return flags;
}

#define CODE_UNIT 2

/* How far into a code object's instructions its first traceable one is, 3.11+: in a generator's, that
 * is the first RESUME. */
static __always_inline __s64 first_traceable(__u64 code)
{
	__s32 first = 0;

	bpf_probe_read_user(&first, sizeof(first),
			    (void *)(code + plan.code_instructions - plan.code_first_traceable));
	return (__s64)first * CODE_UNIT;
}

/* Whether a generator's start and its resumptions are told by the address of the RESUME that runs: all
 * but the first are resumptions. Not since 3.15, where generator expressions have another before they
 * start, and not where each thread has a copy of the instructions. */
#define RESUME_LOCATION_MASK_3_11 3

static __always_inline bool starts_at_first_resume(void)
{
	return plan.code_instructions && !plan.code_copies &&
	       plan.resume_location_mask == RESUME_LOCATION_MASK_3_11;
}

/* A code object, while user space is told of it. */
struct new_code {
	struct code_key key;
	struct code_state state;
};

static __always_inline bool tell_new_code(struct scratch *scratch, __u64 code, __u64 frame,
					  __u64 id)
{
	struct new_code *new = ROOM(scratch, struct new_code);
	struct code_state *state = &new->state, *known;
	__s64 flags;

	new->key = (struct code_key){.code = code, .tgid = id >> 32};
	__builtin_memset(state, 0, sizeof(*state));
	state->id = bpf_ktime_get_ns();
	flags = emit_code(code, id, state->id,
			  plan.frame_locals ? find_definition(frame, code) : 0);
	if (flags < 0)
		return false;
	state->resumable = (flags & CO_RESUMABLE) != 0;
	if (state->resumable && starts_at_first_resume())
		state->first_resume = code + plan.code_instructions + first_traceable(code);
	if (values.wanted && !(flags & (EMIT_SHIM | EMIT_STANDS_IN))) {
		if (!emit_parameters(pass_scratch(scratch), code, flags))
			return false;
		state->parameters = scratch->parameters;
	}
	if (flags & EMIT_SHIM)
		state->verdict = VERDICT_SHIM; /* no need to ask */
	else if (flags & EMIT_STANDS_IN)
		state->verdict = VERDICT_STANDS_IN;
	/* Where threads run at the same time, another may have met it meanwhile: of the two ids, the
	 * earlier is kept, so that user space's answer to either is known to be about this one. */
	if (bpf_map_update_elem(&codes, &new->key, state, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&codes, &new->key);
		if (known && known->id > state->id)
			known->id = state->id;
	}
	return true;
}

/* Tells user space of a code object that `frame` runs; 0 where that was not possible. */
__noinline int meet_new_code(__u64 code, __u64 frame, __u64 id)
{
	struct scratch *scratch = take_scratch(id, 0);
	bool told;

	if (!scratch)
		return 0;
	told = tell_new_code(scratch, code, frame, id);
	give_back(scratch);
	return told;
}

/* The state of the code object that `frame` runs; on first sight, user space is told of it
 * first. */
static __always_inline struct code_state *meet_code(const struct code_key *key, __u64 frame,
						    __u64 id)
{
	struct code_state *state = bpf_map_lookup_elem(&codes, key);

	if (state || !meet_new_code(key->code, frame, id))
		return state;
	return bpf_map_lookup_elem(&codes, key);
}

static __always_inline __u8 verdict_of(struct code_state *state, const struct code_key *key)
{
	struct answer *answer;

	if (state->verdict != VERDICT_UNKNOWN)
		return state->verdict;
	answer = bpf_map_lookup_elem(&answers, key);
	if (answer && answer->id >= state->id)
		state->verdict = answer->verdict;
	return state->verdict;
}

#endif
