/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions without frames: all that function__entry and function__return tell by themselves, for
 * builds whose frames are found nowhere. They give the function's file and name, as C strings, and
 * the line that it is at.
 *
 * So a code object is what has the same file, name and line, and a frame is told from others by
 * where file and name are in memory: those of a function that runs stay where they are. User space
 * pairs starts and ends as the frames of a stack. Everything is sent: whether code outside the scope
 * was called from it takes frames to tell.
 */
#ifndef PYTRACE_NAMES_H
#define PYTRACE_NAMES_H

#include "check.h"

/* Bytes by which names are told apart; of longer ones, their address counts as well. */
#define NAME_COMPARED 256
/* A function's, most likely: names tell nothing of flags. */
#define CO_OPTIMIZED_NEWLOCALS 3

/* In 3.15 a module begins on line 0, and a function with cells on none, -1: which becomes 0. */
static __always_inline __u32 first_line(__s32 line)
{
	return line > 0 ? line : line == 0;
}

struct function {
	__u64 filename;
	__u64 name;
	__u32 line;
};

static __always_inline __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

/* 0 for what can't be read. Behind the null byte all is zero: the kernel writes none of what
 * follows there. */
__noinline __u64 hash_string(__u64 address)
{
	__u64 words[NAME_COMPARED / sizeof(__u64)] = {}, hash = 1;
	long size = bpf_probe_read_user_str(words, sizeof(words), (void *)address);

	if (size < 0)
		return 0;
	for (__u32 i = 0; i < NAME_COMPARED / sizeof(__u64); i++) {
		if (i * sizeof(__u64) >= size)
			break;
		hash = mix(hash, words[i]);
	}
	return size < sizeof(words) ? hash : mix(hash, address);
}

/* Copies a C string; false where `limit` bytes may not be all of it. */
static __always_inline bool copy_name(struct string *string, __u8 *text, __u64 address, __u32 limit)
{
	long size = bpf_probe_read_user_str(text, limit, (void *)address);

	*string = (struct string){};
	if (size <= 0)
		return true;
	string->width = WIDTH_UTF8;
	string->bytes = size - 1;
	string->length = size - 1 + (size == limit);
	return size < limit;
}

static __always_inline void fill_code(struct event_code *code, __u64 key, __u32 line, __u64 id)
{
	fill_head(&code->head, EVENT_CODE, 0, id);
	code->code = key;
	code->id = code->head.time;
	code->flags = CO_OPTIMIZED_NEWLOCALS;
	code->first_line = line;
	code->qualifier = (struct string){};
	__builtin_memset(code->first_argument, 0, sizeof(code->first_argument));
}

/* Describes a function to user space; 0 where the ring has no room. */
__noinline int emit_function(__u64 key, __u64 filename, __u64 name, __u32 line, __u64 id)
{
	struct event_code_short *brief = bpf_ringbuf_reserve(&events, sizeof(*brief), 0);
	struct event_code_long *whole;
	bool fits;

	if (!brief)
		return 0;
	fill_code(&brief->code, key, line, id);
	fits = copy_name(&brief->code.filename, brief->text, filename, STRING_SHORT);
	fits &= copy_name(&brief->code.name, brief->text + STRING_SHORT, name, STRING_SHORT);
	if (fits) {
		bpf_ringbuf_submit(brief, BPF_RB_NO_WAKEUP);
		return 1;
	}
	bpf_ringbuf_discard(brief, BPF_RB_NO_WAKEUP);
	whole = bpf_ringbuf_reserve(&events, sizeof(*whole), 0);
	if (!whole)
		return 0;
	fill_code(&whole->code, key, line, id);
	copy_name(&whole->code.filename, whole->text, filename, STRING_LONG);
	copy_name(&whole->code.name, whole->text + STRING_LONG, name, STRING_LONG);
	bpf_ringbuf_submit(whole, BPF_RB_NO_WAKEUP);
	return 1;
}

/* What stands for the code object of a function; 0 where user space could not be told of it. */
static __always_inline __u64 meet_function(const struct function *function, __u64 id)
{
	__u64 names = mix(hash_string(function->filename), hash_string(function->name));
	struct code_key key = {
		.code = mix(names, function->line),
		.tgid = id >> 32,
	};
	struct code_state fresh = {};

	if (bpf_map_lookup_elem(&codes, &key))
		return key.code;
	if (!emit_function(key.code, function->filename, function->name, function->line, id))
		return 0;
	bpf_map_update_elem(&codes, &key, &fresh, BPF_ANY);
	return key.code;
}

/* What stands for a frame. */
static __always_inline __u64 function_frame(const struct function *function)
{
	return mix(mix(0, function->filename), function->name);
}

static __always_inline bool is_readable(__u64 address)
{
	__u8 byte;

	return !bpf_probe_read_user(&byte, sizeof(byte), (void *)address);
}

enum found {
	FOUND_NOTHING, /* events of the probe are lost */
	FOUND_SHIM, /* what lies under a specialised class call's __init__, see emit_code() */
	FOUND_FUNCTION,
};

/* Reads a probe's arguments. Its first hits are checked: all of them having names. */
static __always_inline enum found find_function(struct pt_regs *ctx, __u64 cookie,
						struct function *function)
{
	struct probe_check *check = &checks[COOKIE_PROBE(cookie)];
	long filename, name, line;

	if (check->state == CHECK_FAILED || bpf_usdt_arg(ctx, 0, &filename) ||
	    bpf_usdt_arg(ctx, 1, &name) || bpf_usdt_arg(ctx, 2, &line))
		return FOUND_NOTHING;
	if (check->state == CHECK_PENDING)
		count_check(check, is_readable(filename) && is_readable(name), false);
	function->filename = filename;
	function->name = name;
	function->line = first_line(line);
	return filename == name ? FOUND_SHIM : FOUND_FUNCTION;
}

/* Before a record: tells what is missing before it. False where there is no room for that, or for
 * what would come behind it. */
static __always_inline bool tell_named_loss(__u64 id)
{
	return !is_crowded() && (!lost_total || tell_loss(id));
}

static __always_inline int enter_named(struct pt_regs *ctx, __u64 cookie)
{
	__u64 id = bpf_get_current_pid_tgid(), code;
	struct event_enter *record;
	struct function function;
	enum found found = find_function(ctx, cookie, &function);

	if (found != FOUND_FUNCTION)
		return found == FOUND_SHIM ? 0 : lose(id, EVENT_ENTER);
	code = meet_function(&function, id);
	if (!code || !tell_named_loss(id))
		return lose(id, EVENT_ENTER);
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record)
		return lose(id, EVENT_ENTER);
	fill_head(&record->head, EVENT_ENTER, ENTER_NAMED, id);
	record->frame = function_frame(&function);
	record->previous = 0;
	record->code = code;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return watch_ring(id);
}

static __always_inline int emit_named_exit(__u64 frame, enum exit detail, __u64 id)
{
	struct event_exit *record;

	if (!tell_named_loss(id))
		return lose(id, EVENT_EXIT);
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record)
		return lose(id, EVENT_EXIT);
	fill_head(&record->head, EVENT_EXIT, detail, id);
	record->frame = frame;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return watch_ring(id);
}

static __always_inline int leave_named(struct pt_regs *ctx, __u64 cookie)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct function function;
	enum found found = find_function(ctx, cookie, &function);

	if (found != FOUND_FUNCTION)
		return found == FOUND_SHIM ? 0 : lose(id, EVENT_EXIT);
	return emit_named_exit(function_frame(&function), EXIT_NAMED, id);
}

#endif
