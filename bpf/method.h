/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The qualified name of a function, up to 3.10: its code object has none, and its frame does
 * not lead to the function object. But the first argument of a method leads to its class, and
 * that to the function, whose __qualname__ it is.
 *
 * Done at the event, once per code object: classes may be gone when user space looks, at the
 * end of a short program all of them. From 3.11 on, plan.frame_locals is 0 and the verifier
 * drops all of this.
 */
#ifndef PYTRACE_METHOD_H
#define PYTRACE_METHOD_H

#include "python.h"

/* The same from 3.6 to 3.10. */
#define CODE_ARGCOUNT	      16
#define TUPLE_SIZE	      16
#define TUPLE_ITEMS	      24
#define CELL_REF	      16
#define STR_HASH	      24
#define DICT_KEYS	      32
#define TYPE_CALL	      128
#define TYPE_FLAGS	      168
#define TYPE_DICT	      264
#define TYPE_DESCR_GET	      272
#define TYPE_MRO	      344
#define TPFLAGS_HEAPTYPE      (1UL << 9)
#define TPFLAGS_TYPE_SUBCLASS (1UL << 31)
/* cm_callable and sm_callable; prop_get, prop_set, prop_del */
#define WRAPPED	    16
#define WRAPPED_MAX 3

/* PyDictKeysObject, and what follows its dk_size indices. */
struct dict_keys {
	__u64 refcnt;
	__u64 size;
	__u64 lookup;
	__u64 usable;
	__u64 nentries;
};

struct dict_entry {
	__u64 hash;
	__u64 key;
	__u64 value;
};

/* Bounds on what is looked at; no program has more by accident. */
#define CELLS_MAX    16
#define MRO_MAX	     32
#define PROBES_MAX   32
#define ENTRIES_MAX  256
#define CLOSURE_MAX  8
#define WRAPPERS_MAX 4

/* find_definition() knows only the class, not the function. */
#define DEFINITION_CLASS 1

static __always_inline __u64 tuple_item(__u64 tuple, __u32 index)
{
	return read_pointer(tuple + TUPLE_ITEMS + index * 8);
}

static __always_inline __u32 tuple_size(__u64 tuple, __u32 limit)
{
	__u64 size = read_pointer(tuple + TUPLE_SIZE);

	return size < limit ? size : limit;
}

static __always_inline __u64 function_code(__u64 function)
{
	return read_pointer(function + plan.function_code);
}

/* An argument that an inner function uses lives in a cell behind the locals: the cell of the same
 * name. Code objects' names are interned: the same name is the same object. */
static __always_inline __u64 captured_argument(__u64 locals, __u64 code)
{
	__u64 name = tuple_item(read_pointer(code + plan.code_varnames), 0);
	__u64 cellvars = read_pointer(code + plan.code_cellvars);
	__u32 cells = tuple_size(cellvars, CELLS_MAX), nlocals = 0;

	if (!name || bpf_probe_read_user(&nlocals, 4, (void *)(code + plan.code_nlocals)))
		return 0;
	for (__u32 i = 0; i < CELLS_MAX && i < cells; i++)
		if (tuple_item(cellvars, i) == name)
			return read_pointer(read_pointer(locals + (nlocals + i) * 8UL) + CELL_REF);
	return 0;
}

static __always_inline __u64 first_argument(__u64 frame, __u64 code)
{
	__u64 locals = frame + plan.frame_locals, argument;
	__s32 argcount = 0;

	bpf_probe_read_user(&argcount, sizeof(argcount), (void *)(code + CODE_ARGCOUNT));
	if (argcount <= 0)
		return 0;
	argument = read_pointer(locals);
	return argument ? argument : captured_argument(locals, code);
}

/* Reads the first argument's name, or its start; "" where there is none. */
static __always_inline void read_first_argument_name(__u8 *name, __u32 size, __u64 code)
{
	__s32 argcount = 0;
	__u64 object;

	bpf_probe_read_user(&argcount, sizeof(argcount), (void *)(code + CODE_ARGCOUNT));
	object = argcount > 0 ? tuple_item(read_pointer(code + plan.code_varnames), 0) : 0;
	/* self and cls are ASCII; other names in other letters come out as "" or garbage */
	if (!object || bpf_probe_read_user_str(name, size, (void *)(object + plan.str_ascii)) < 0)
		name[0] = 0;
}

static __always_inline bool is_function(__u64 object)
{
	__u64 name[2] = {};

	bpf_probe_read_user(name, sizeof("function"),
			    (void *)read_pointer(read_pointer(object + OB_TYPE) + plan.type_name));
	return name[0] == 0x6e6f6974636e7566 /* "function" */ && !name[1];
}

/* The function with that code: `object`, or what it is wrapped in as a class method, static
 * method, property, or by decorators that return functions. 0: none. */
__noinline __u64 unwrap(__u64 object, __u64 code)
{
	if (!plan.frame_locals)
		return 0;
	for (int depth = 0; depth < WRAPPERS_MAX && object; depth++) {
		__u64 next = 0, closure;
		__u32 cells;

		if (function_code(object) == code)
			return object;
		if (is_function(object)) {
			closure = read_pointer(object + plan.function_closure);
			cells = closure ? tuple_size(closure, CLOSURE_MAX) : 0;
			for (__u32 i = 0; i < CLOSURE_MAX && i < cells; i++) {
				__u64 held = read_pointer(tuple_item(closure, i) + CELL_REF);

				if (function_code(held) == code)
					return held;
				if (!next && is_function(held))
					next = held;
			}
		} else {
			for (int i = 0; i < WRAPPED_MAX; i++) {
				__u64 held = read_pointer(object + WRAPPED + i * 8);

				if (function_code(held) == code)
					return held;
				if (!next && is_function(held))
					next = held;
			}
		}
		object = next;
	}
	return 0;
}

/* Whether a class's attribute may hide a function that unwrap() does not find: something called
 * or bound that has not shown which function it is. */
__noinline int is_opaque(__u64 object)
{
	__u64 type = read_pointer(object + OB_TYPE);

	if (!plan.frame_locals || is_function(object))
		return false;
	for (int i = 0; i < WRAPPED_MAX; i++)
		if (is_function(read_pointer(object + WRAPPED + i * 8)))
			return false;
	return read_pointer(type + TYPE_CALL) ||
	       (read_pointer(type + TYPE_DESCR_GET) &&
		read_pointer(type + TYPE_FLAGS) & TPFLAGS_HEAPTYPE);
}

static __always_inline bool read_keys(struct dict_keys *keys, __u64 address)
{
	return !bpf_probe_read_user(keys, sizeof(*keys), (void *)address) && keys->size &&
	       keys->size <= 1UL << 31;
}

static __always_inline __u32 index_width(__u64 size)
{
	return size <= 0xff ? 1 : size <= 0xffff ? 2 : 4;
}

/* The value that a dict has for a str; 0: none. See lookdict_unicode in Objects/dictobject.c. */
__noinline __u64 look_up(__u64 dict, __u64 name)
{
	__u64 address = read_pointer(dict + DICT_KEYS), hash, perturb, at;
	struct dict_entry entry;
	struct dict_keys keys;
	__u32 width;

	if (!plan.frame_locals || !read_keys(&keys, address))
		return 0;
	hash = perturb = read_pointer(name + STR_HASH);
	width = index_width(keys.size);
	address += sizeof(keys);
	at = hash;
	for (int i = 0; i < PROBES_MAX; i++) {
		__s32 index = 0;

		at &= keys.size - 1;
		if (width == 1) {
			__s8 narrow = -1;

			bpf_probe_read_user(&narrow, 1, (void *)(address + at));
			index = narrow;
		} else if (width == 2) {
			__s16 narrow = -1;

			bpf_probe_read_user(&narrow, 2, (void *)(address + at * 2));
			index = narrow;
		} else if (bpf_probe_read_user(&index, 4, (void *)(address + at * 4))) {
			return 0;
		}
		if (index == -1) /* never used; -2: deleted */
			return 0;
		if (index >= 0) {
			if (bpf_probe_read_user(
				    &entry, sizeof(entry),
				    (void *)(address + keys.size * width + index * sizeof(entry))))
				return 0;
			/* 64 bits of a keyed hash: no need to compare the characters */
			if (entry.hash == hash)
				return entry.value;
		}
		perturb >>= 5;
		at = at * 5 + perturb + 1;
	}
	return 0;
}

/* The function with that code among all of a dict's values: for a private name (__x), which
 * the dict has under another (_Class__x). */
__noinline __u64 look_through(__u64 dict, __u64 code)
{
	__u64 keys = read_pointer(dict + DICT_KEYS), size, entries, value, function;
	__u32 count;

	if (!plan.frame_locals)
		return 0;
	/* Word by word, for want of room on the stack. */
	size = read_pointer(keys + offsetof(struct dict_keys, size));
	count = read_pointer(keys + offsetof(struct dict_keys, nentries));
	entries = keys + sizeof(struct dict_keys) + size * index_width(size);
	for (__u32 i = 0; i < ENTRIES_MAX && i < count; i++) {
		value = read_pointer(entries + i * sizeof(struct dict_entry) +
				     offsetof(struct dict_entry, value));
		function = value ? unwrap(value, code) : 0;
		if (function)
			return function;
	}
	return 0;
}

static __always_inline bool is_private(__u64 name)
{
	__u64 length = read_pointer(name + STR_LENGTH);
	__u8 ends[4] = {};

	if (length < 3)
		return false;
	bpf_probe_read_user(ends, 2, (void *)(name + plan.str_ascii));
	bpf_probe_read_user(ends + 2, 2, (void *)(name + plan.str_ascii + length - 2));
	return ends[0] == '_' && ends[1] == '_' && !(ends[2] == '_' && ends[3] == '_');
}

/* Where a class or one of its bases defines that code: as find_definition(). */
__noinline __u64 find_in_class(__u64 type, __u64 code)
{
	__u64 mro, name, only_class = 0;
	bool private;
	__u32 size;

	if (!plan.frame_locals)
		return 0;
	mro = read_pointer(type + TYPE_MRO);
	name = read_pointer(code + plan.code_name);
	private = is_private(name);
	size = mro ? tuple_size(mro, MRO_MAX) : 0;
	for (__u32 i = 0; i < MRO_MAX && i < size; i++) {
		__u64 class = tuple_item(mro, i), dict, value, function;

		/* classes that C defines have no Python functions */
		if (!(read_pointer(class + TYPE_FLAGS) & TPFLAGS_HEAPTYPE))
			continue;
		dict = read_pointer(class + TYPE_DICT);
		if (private) {
			function = look_through(dict, code);
			if (function)
				return function;
			continue;
		}
		value = look_up(dict, name);
		if (!value)
			continue;
		function = unwrap(value, code);
		if (function)
			return function;
		if (!only_class && is_opaque(value))
			only_class = class | DEFINITION_CLASS;
	}
	return only_class;
}

/*
 * The function object of which `frame` runs the code, if its first argument leads there. Where
 * a class has something under that name which may be the function in a wrapping that can't be
 * looked into: that class, with DEFINITION_CLASS. 0: nothing.
 */
static __always_inline __u64 find_definition(__u64 frame, __u64 code)
{
	__u64 argument, type, found, of_instance;

	if (!plan.frame_locals)
		return 0;
	argument = first_argument(frame, code);
	if (!argument)
		return 0;
	type = read_pointer(argument + OB_TYPE);
	if (!(read_pointer(type + TYPE_FLAGS) & TPFLAGS_TYPE_SUBCLASS))
		return find_in_class(type, code);
	/* a class: the argument of a class method, or of its metaclass's method */
	found = find_in_class(argument, code);
	if (found && !(found & DEFINITION_CLASS))
		return found;
	of_instance = find_in_class(type, code);
	return of_instance && (!found || !(of_instance & DEFINITION_CLASS)) ? of_instance : found;
}

#endif
