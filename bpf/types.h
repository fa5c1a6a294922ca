/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Types of objects: described to user space at first sight, then known by what is to be captured
 * of their instances.
 */
#ifndef PYTRACE_TYPES_H
#define PYTRACE_TYPES_H

#include "dicts.h"
#include "emit.h"
#include "scratch.h"

/* Py_TPFLAGS_* (Include/object.h) */
#define TPFLAG_INLINE	(1UL << 2) /* Py_TPFLAGS_INLINE_VALUES, 3.13+ */
#define TPFLAG_MANAGED	(1UL << 4) /* Py_TPFLAGS_MANAGED_DICT, 3.11+ */
#define TPFLAG_HEAPTYPE (1UL << 9)
#define TPFLAG_READY	(1UL << 12)

/* PyMemberDef */
#define MEMBER_BYTES  40
#define MEMBER_NAME   0
#define MEMBER_TYPE   8
#define MEMBER_OFFSET 16
/* Py_T_OBJECT_EX: a reference that may be null */
#define MEMBER_IS_SLOT 16

/* Bounds on what is looked at; no program has more by accident. */
#define BASES_MAX	16
#define SLOT_BASES_MAX	6
#define METACLASSES_MAX 4

/* What to capture of C's static types, by tp_name: written by user space before the programs run. */
struct recipe_key {
	__u8 name[RECIPE_NAME_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct recipe_key);
	__type(value, struct recipe);
} recipes SEC(".maps");

/* Where a type's instances keep their attributes. */
enum attributes {
	ATTRIBUTES_NONE,
	ATTRIBUTES_DICT, /* a dict, at dict_offset */
	ATTRIBUTES_MANAGED, /* led to from before the object (3.11+) */
	ATTRIBUTES_INLINE, /* behind the object (3.13+) */
};

struct type_key {
	__u64 type;
	__u32 tgid;
	__u32 pad;
};

struct type_state {
	struct recipe recipe;
	__u8 attributes; /* enum attributes */
	__u8 slots; /* how many of `slot` there are */
	__u8 enumeration;
	__u8 hidden; /* there are slots that are not among these */
	__u8 transparent; /* looking into it is not going deeper */
	__u32 basicsize;
	__u32 itemsize;
	__s32 dict_offset;
	__u16 slot[SLOTS_MAX]; /* offsets */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, struct type_key);
	__type(value, struct type_state);
} types SEC(".maps");

/*
 * The shapes of types that were met, by which most objects are done without a look into the map: a
 * direct-mapped cache. An entry is the type's address without 4 low bits, 10 of which are the
 * place (33 bits are left), 22 bits of process id (the kernel's PID_MAX_LIMIT), and the shape.
 * 0: none. A map, so that user space can empty it.
 */
#define CACHE_BITS 10

struct cached_shapes {
	__u64 entry[1 << CACHE_BITS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cached_shapes);
} shapes SEC(".maps");

static __always_inline __u64 *cache_place(__u64 type)
{
	__u32 only = 0;
	struct cached_shapes *cached = bpf_map_lookup_elem(&shapes, &only);

	return cached ? &cached->entry[type >> 4 & ((1 << CACHE_BITS) - 1)] : NULL;
}

static __always_inline __u64 cache_tag(__u64 type, __u32 tgid)
{
	return type >> (4 + CACHE_BITS) << 31 | (__u64)(tgid & 0x3fffff) << 8;
}

/* The interpreter's own types, by their addresses in its file: written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct recipe_key);
} own_types SEC(".maps");

/* The name of one of these; NULL: it is another type. */
static __always_inline struct recipe_key *own_type_name(__u64 type, __u32 tgid)
{
	struct process *process = bpf_map_lookup_elem(&processes, &tgid);
	__u64 address;

	if (!process)
		return NULL;
	address = type - process->bias;
	return bpf_map_lookup_elem(&own_types, &address);
}

/* Whether a type's metaclass is enum's EnumType (EnumMeta before 3.11) or made of it. */
static __always_inline bool is_enumeration(struct scratch *scratch, __u64 type)
{
	__u64 meta = read_pointer(type + OB_TYPE), name[2], module;
	__u32 text;

	for (int i = 0; i < METACLASSES_MAX && meta; i++) {
		if (!(read_pointer(meta + values.type_flags) & TPFLAG_HEAPTYPE))
			return false;
		name[0] = name[1] = 0;
		bpf_probe_read_user(name, 9, (void *)read_pointer(meta + plan.type_name));
		/* "EnumMeta", "EnumType" */
		if ((name[0] == 0x6174654d6d756e45 || name[0] == 0x657079546d756e45) && !name[1]) {
			module = find_module(pass_scratch(scratch),
					     read_pointer(meta + values.type_dict));
			text = read_pointer(module + plan.str_ascii);
			return read_pointer(module + STR_LENGTH) == 4 &&
			       text == 0x6d756e65; /* "enum" */
		}
		meta = read_pointer(meta + values.type_base);
	}
	return false;
}

/* Whether a module is one of pandas', whose objects are made of others that nobody is to see, but of
 * which the shape of a frame is told. */
static __always_inline bool is_pandas(const struct string *module, const __u8 *text)
{
	__u32 first;
	__u16 second;

	if (module->length < 6 || module->width != 1)
		return false;
	__builtin_memcpy(&first, text, 4);
	__builtin_memcpy(&second, text + 4, 2);
	/* "pandas" or "pandas.", little endian */
	return first == 0x646e6170 && second == 0x7361 && (module->length == 6 || text[6] == '.');
}

static __always_inline bool is_heap_type(__u64 type)
{
	return read_pointer(type + values.type_flags) & TPFLAG_HEAPTYPE;
}

enum found_recipe {
	RECIPE_NONE, /* of no base either: instances have nothing but their attributes */
	RECIPE_FOUND,
	RECIPE_UNKNOWN, /* a name is on a page that is not in memory */
};

struct type_room {
	struct type_key key;
	struct type_state state;
	struct recipe_key name;
};

/*
 * The recipe that a type itself has, not by its bases (enum found_recipe): put into the struct type_room of a
 * place that is told by its key, since Linux 6.1 refuses keys of maps in memory that is passed by its address.
 *
 * Not static, nor is find_slots(): the verifier then looks at them once, and not for each base.
 */
__noinline int find_recipe(__u32 place, __u64 type, __u64 id)
{
	struct scratch *scratch = bpf_map_lookup_elem(&places, &place);
	struct recipe_key *name, *own;
	struct type_room *room;
	struct recipe *recipe;

	if (!values.wanted || !scratch)
		return RECIPE_UNKNOWN;
	room = ROOM(scratch, struct type_room);
	name = &room->name;
	own = own_type_name(type, id >> 32);
	if (own) {
		*name = *own;
	} else {
		__builtin_memset(name, 0, sizeof(*name));
		if (bpf_probe_read_user_str(name->name, sizeof(name->name),
					    (void *)read_pointer(type + plan.type_name)) <= 0)
			return RECIPE_UNKNOWN;
	}
	recipe = bpf_map_lookup_elem(&recipes, name);
	if (!recipe || !(own || recipe->whose == RECIPE_OF_C ||
			 (recipe->whose == RECIPE_OF_STATIC && !is_heap_type(type))))
		return RECIPE_NONE;
	room->state.recipe = *recipe;
	return RECIPE_FOUND;
}

/* Finds the recipe of a type: that of the nearest type of C's that it derives from. Those may be on the
 * heap, too (PyType_FromSpec), as Cython's are from 3.1 on: their tp_name has a module's name in it, which
 * those of Python's classes have not. */
static __always_inline int find_nearest_recipe(struct scratch *scratch, __u64 type, __u64 id)
{
	for (int i = 0; i < BASES_MAX && type; i++) {
		int found = find_recipe(scratch->place, type, id);

		if (found != RECIPE_NONE)
			return found;
		type = read_pointer(type + values.type_base);
	}
	return RECIPE_NONE;
}

/* Adds the slots that a class has, without those of its bases, to the struct event_type in the place that is
 * passed: where they are, and what they are called. It counts them there, where the verifier does not
 * follow it. `wanted`: that many of all; 0: only whether there are some. */
__noinline int find_slots(scratch_arg passed, __u64 type, __u32 wanted)
{
	struct scratch *scratch = passed_scratch(passed);
	struct event_type *event;
	__u64 size, members;

	if (!values.wanted || !scratch)
		return 0;
	event = (struct event_type *)scratch->data;
	size = read_pointer(type + OB_SIZE);
	/* PyHeapType_GET_MEMBERS */
	members = type + read_pointer(read_pointer(type + OB_TYPE) + values.type_basicsize);
	for (__u32 i = 0; i < SLOTS_MAX && i < size; i++) {
		__u32 slot = event->slots_found & (SLOTS_MAX - 1), kind = 0;
		__u64 offset;

		/* C's types have members that are numbers */
		bpf_probe_read_user(&kind, sizeof(kind), (void *)(members + MEMBER_TYPE));
		if (kind != MEMBER_IS_SLOT)
			break;
		offset = read_pointer(members + MEMBER_OFFSET);
		if (event->slots_found >= wanted || offset > 0xffff ||
		    bpf_probe_read_user_str(event->slots[slot], SLOT_NAME_MAX,
					    (void *)read_pointer(members + MEMBER_NAME)) <= 0) {
			event->slots_hidden = 1;
			break;
		}
		event->slot[slot] = offset;
		event->slots_found++;
		members += MEMBER_BYTES;
	}
	if (size > SLOTS_MAX)
		event->slots_hidden = 1;
	return 0;
}

/* The same of a class and its bases: its own first. */
static __always_inline void find_all_slots(struct scratch *scratch, __u64 type, __u32 wanted)
{
	for (int i = 0; i < SLOT_BASES_MAX && type && is_heap_type(type); i++) {
		find_slots(pass_scratch(scratch), type, wanted);
		type = read_pointer(type + values.type_base);
	}
}

static __always_inline void find_attributes(__u64 type, __u64 flags, struct type_state *state)
{
	if (values.attributes >= ATTRIBUTES_3_13 && flags & TPFLAG_INLINE)
		state->attributes = ATTRIBUTES_INLINE;
	else if (values.attributes >= ATTRIBUTES_3_11 && flags & TPFLAG_MANAGED)
		state->attributes = ATTRIBUTES_MANAGED;
	else if (state->dict_offset)
		state->attributes = ATTRIBUTES_DICT;
}

static __always_inline void copy_short_text(struct string *string, __u8 *text, __u64 object)
{
	__u64 data = read_string_head(string, object);

	if (data)
		copy_text(string, text, data, (__u64)string->length * string->width, STRING_SHORT);
}

static __always_inline int tell_type(struct scratch *scratch, __u64 type, __u64 id)
{
	struct type_room *room = ROOM(scratch, struct type_room);
	struct type_state *state = &room->state;
	struct event_type *event;
	struct recipe_key *own;
	__u64 flags;
	int found;

	room->key = (struct type_key){.type = type, .tgid = id >> 32};
	__builtin_memset(state, 0, sizeof(*state));
	event = (struct event_type *)scratch->data;
	__builtin_memset(event, 0, __builtin_offsetof(struct event_type, text));
	fill_head(&event->head, EVENT_TYPE, 0, id);
	event->address = type;
	flags = read_pointer(type + values.type_flags);
	own = own_type_name(type, id >> 32);
	if (own)
		__builtin_memcpy(event->name, own->name, sizeof(own->name));
	else if (bpf_probe_read_user_str(event->name, sizeof(event->name),
					 (void *)read_pointer(type + plan.type_name)) <= 0)
		return -1;
	state->basicsize = read_pointer(type + values.type_basicsize);
	state->itemsize = read_pointer(type + values.type_itemsize);
	state->dict_offset = read_pointer(type + values.type_dictoffset);
	state->recipe.shape = SHAPE_OPAQUE;
	find_attributes(type, flags, state);
	if (flags & TPFLAG_HEAPTYPE) {
		event->head.detail = TYPE_HEAP;
		copy_short_text(&event->qualname, event->text,
				read_pointer(type + values.heap_qualname));
		copy_short_text(
			&event->module, event->text + STRING_SHORT,
			find_module(pass_scratch(scratch), read_pointer(type + values.type_dict)));
		state->enumeration = is_enumeration(scratch, type);
		state->transparent = is_pandas(&event->module, event->text + STRING_SHORT);
	}
	if (state->enumeration)
		event->head.detail |= TYPE_ENUM;
	found = state->enumeration ? RECIPE_NONE : find_nearest_recipe(scratch, type, id);
	if (found == RECIPE_UNKNOWN)
		return -1;
	if (found == RECIPE_NONE) {
		find_all_slots(scratch, type, state->attributes ? 0 : SLOTS_MAX);
		state->slots = event->slots_found;
		state->hidden = event->slots_hidden;
		for (int i = 0; i < SLOTS_MAX; i++)
			state->slot[i] = event->slot[i];
		if (state->attributes || state->slots)
			state->recipe.shape = SHAPE_INSTANCE;
	}
	if (!output_scratch(scratch))
		return -1;
	/* Until it is finished, a class may become another; but C has forgotten to finish some of the
	 * interpreter's own (3.8: those of asynchronous generators). */
	if (flags & TPFLAG_READY || (own && found == RECIPE_FOUND))
		bpf_map_update_elem(&types, &room->key, state, BPF_ANY);
	return state->recipe.shape;
}

/* Describes a type to user space; its shape, or -1 where the ring has no room, or what it is can't be
 * told now. */
__noinline int meet_type(__u64 type, __u64 id)
{
	struct scratch *scratch;
	int shape;

	if (!values.wanted)
		return -1;
	scratch = take_scratch(id, sizeof(struct event_type));
	if (!scratch)
		return -1;
	shape = tell_type(scratch, type, id);
	give_back(scratch);
	return shape;
}

/* What is known of a type; NULL: nothing. Describes it to user space at first sight. */
static __always_inline struct type_state *know_type(__u64 type, __u64 id)
{
	struct type_key key = {.type = type, .tgid = id >> 32};
	struct type_state *state = bpf_map_lookup_elem(&types, &key);

	if (state || meet_type(type, id) < 0)
		return state;
	return bpf_map_lookup_elem(&types, &key);
}

/* Reads the name of the current exception's type, "" where it can't be read. */
static __always_inline void read_exception_name(__u8 *name, __u32 size, __u64 exception, __u64 id)
{
	struct recipe_key *own;
	__u64 type = exception;

	name[0] = 0;
	if (!exception)
		return;
	if (!plan.exception_is_type)
		type = read_pointer(exception + OB_TYPE);
	own = own_type_name(type, id >> 32);
	if (own)
		__builtin_memcpy(name, own->name, RECIPE_NAME_MAX);
	else if (bpf_probe_read_user_str(name, size, (void *)read_pointer(type + plan.type_name)) <
		 0)
		name[0] = 0;
}

/* How many types have been freed. */
volatile __u32 types_freed;

/* The address may be another type's soon. */
static __always_inline void forget_type(__u64 type, __u32 tgid)
{
	struct type_key key = {.type = type, .tgid = tgid};
	__u64 *cached = cache_place(type);

	if (cached && (*cached & ~0xffUL) == cache_tag(type, tgid))
		*cached = 0;
	bpf_map_delete_elem(&types, &key);
}

/* The same in a function of its own, for a caller whose stack is full. */
__noinline int forget_met_type(__u64 type, __u64 id)
{
	forget_type(type, id >> 32);
	return 0;
}

#endif
