/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the contract between the kernel programs and Rust that is about values: what is to be
 * captured of objects, and what they look like in a record.
 */
#ifndef PYTRACE_VALUE_H
#define PYTRACE_VALUE_H

#include <linux/types.h>

/* How a version's instances keep their attributes (Objects/dictobject.c), if not in a dict at
 * tp_dictoffset. */
enum attribute_layout {
	ATTRIBUTES_3_6, /* always there */
	ATTRIBUTES_3_11, /* Py_TPFLAGS_MANAGED_DICT: values or a dict, led to from before the object */
	ATTRIBUTES_3_12, /* the same with one tagged pointer for both */
	ATTRIBUTES_3_13, /* Py_TPFLAGS_INLINE_VALUES: values behind the object, too */
};

/* The most that options can ask for. */
#define ITEMS_LIMIT 32

/* What to capture of objects, and where one interpreter build's objects keep it: byte offsets. */
struct value_plan {
	__u8 wanted; /* 0: no values at all */
	__u8 max_items; /* of a container, up to ITEMS_LIMIT */
	__u8 max_depth; /* of containers in containers */
	__u8 int_has_tag; /* 3.12+ */
	__u8 attributes; /* enum attribute_layout */
	__u8 return_opcodes
		[2]; /* RETURN_VALUE and its instrumented form, where there is another: */
	__u8 return_const_opcodes[2]; /* RETURN_CONST, likewise; 0: the version has none */
	__u8 extended_arg_opcode; /* of the same versions */
	__u16 max_string; /* characters, or bytes of bytes */
	__u16 max_bytes; /* of all values of one record */
	__u16 frame_locals;
	__u16 code_argcount;
	__u16 code_kwonlyargcount;
	__u16 code_names;
	__u16 code_kinds; /* 0: none (up to 3.10) */
	__u16 code_cell2arg; /* 0: none (3.11+) */
	__u16 code_cell2arg_width; /* bytes of its elements */
	__u16 code_cellvars; /* up to 3.10 */
	__u16 code_nlocals; /* up to 3.10 */
	__u16 code_nlocalsplus; /* 3.11+ */
	__u16 code_consts;
	__u16 tuple_items;
	__u16 list_items;
	__u16 int_digits;
	__u16 bytes_data;
	__u16 str_wide_data; /* of a str that is not compact: the pointer to its characters */
	__u16 bytearray_start;
	__u16 dict_used;
	__u16 dict_keys;
	__u16 dict_values;
	__u16 keys_header;
	__u16 keys_size; /* up to 3.10 */
	__u16 keys_log2_index_bytes; /* 3.11+ */
	__u16 keys_kind; /* 3.11+; else 0 */
	__u16 keys_entries_count;
	__u16 set_used;
	__u16 set_mask;
	__u16 set_table;
	__u16 type_basicsize;
	__u16 type_itemsize;
	__u16 type_flags;
	__u16 type_base;
	__u16 type_dict;
	__u16 type_dictoffset;
	__u16 heap_qualname;
	__u16 heap_cached_keys;
	__u16 values_items;
	__u16 values_valid;
	__u16 managed_values; /* how far before an object the pointer to its values is, 3.11 */
	__u16 managed_dict; /* that to its dict, 3.11+ */
};

/*
 * Values of the target's objects: each is a struct value with its data behind it. They come breadth
 * first: the roots, then the roots' children, the first root's first, then the children's. Where there
 * was no room, those at the end are missing, whatever `children` says.
 */

/* What a value's data and children are. */
enum shape {
	SHAPE_OPAQUE, /* nothing but its type */
	SHAPE_UNREADABLE, /* not even that: the object is on no page in memory */
	SHAPE_UNSET, /* a null pointer */
	SHAPE_NONE,
	SHAPE_BOOL, /* length: 0 or 1 */
	SHAPE_INT, /* length: of 30-bit digits, the least significant first; data: these, 4 bytes
		      each; beyond INT_DIGITS of them: the last INT_TOP_DIGITS */
	SHAPE_FLOAT, /* data: a double */
	SHAPE_COMPLEX, /* data: two */
	SHAPE_STR, /* length: in characters, of `detail & VALUE_WIDTH` bytes each; data: the first */
	SHAPE_BYTES, /* length; data: the first */
	SHAPE_BYTEARRAY,
	SHAPE_LIST, /* length; children: the first items */
	SHAPE_TUPLE,
	SHAPE_SET,
	SHAPE_FROZENSET,
	SHAPE_DICT, /* length: of items; children: key, value, key, value ... of the first */
	SHAPE_INSTANCE, /* children: name, value, ... of the first attributes; with VALUE_SLOTS, the
			   values of the type's first slots. length: of attributes, if known */
	SHAPE_TYPE, /* length: its own address, as in event_type */
	SHAPE_FIELDS, /* data and children: what the recipe says, whose number is `detail` */
};

/* What value.detail is made of. */
enum value_detail {
	VALUE_WIDTH = 0xff, /* SHAPE_STR */
	VALUE_NEGATIVE = 0x100, /* SHAPE_INT */
	VALUE_SLOTS = 0x200, /* SHAPE_INSTANCE */
	VALUE_TORN =
		0x400, /* the object is there, but what it leads to can't be read: its characters,
			       its items */
	VALUE_SHALLOW = 0x800, /* not looked into on purpose: self, cls, and what lies too deep */
	VALUE_CHANGED =
		0x1000, /* another thread has changed it meanwhile: its children may never have
				   been in it */
	VALUE_RECIPE_SHIFT = 16, /* SHAPE_FIELDS: the recipe's number from here on */
};

enum value_limits {
	INT_DIGITS = 9, /* integers of up to 270 bits are captured whole */
	INT_TOP_DIGITS = 3,
	SLOTS_MAX = 8, /* __slots__ of a type that are looked at */
	SLOT_NAME_MAX = 64,
	TYPE_NAME_MAX = 128,
	RECIPE_NAME_MAX = 64,
	RECIPE_HEAD_MAX = 48,
	RECIPE_CHILDREN = 4,
	RECIPE_READS = 2,
	RECIPE_READ_MAX = 136,
};

struct value {
	__u16 bytes; /* of header and data; a multiple of 8 */
	__u8 shape; /* enum shape */
	__u8 children; /* how many of the values that follow are its own */
	__u32 detail;
	__u64 type; /* address of its type, as in event_type */
	__u64 length;
};

/* A way from an object to what it refers to: the pointer at `pointer` in it, and if `next` is not
 * RECIPE_END, the pointer at `next` from there. */
#define RECIPE_END 0xffff

struct recipe_path {
	__u16 pointer;
	__u16 next;
};

/* Which types of a recipe's name it is for. */
enum recipe_types {
	RECIPE_OF_C, /* any: the name has a module's in it */
	RECIPE_OF_EXPORTED, /* the interpreter's own, known by its address */
	RECIPE_OF_STATIC, /* the interpreter's own, whose address its file does not tell */
};

/* What to capture of the instances of a type that C has made, by its tp_name (and of those of its
 * subclasses). */
struct recipe {
	__u8 shape; /* enum shape */
	__u8 head; /* SHAPE_FIELDS: bytes of the object behind its head, a multiple of 8; data */
	__u8 children; /* SHAPE_FIELDS: of `child` */
	__u8 reads; /* SHAPE_FIELDS: of `read`; data, behind the head's */
	__u16 number; /* goes into value.detail */
	__u8 names; /* 1: its children are names, which are never cut */
	__u8 whose; /* enum recipe_types */
	struct recipe_path child[RECIPE_CHILDREN];
	struct {
		struct recipe_path path;
		__u16 offset; /* from where it leads */
		__u16 size; /* bytes, a multiple of 8 */
	} read[RECIPE_READS];
};

_Static_assert(sizeof(struct value_plan) == 94, "value_plan has no holes");
_Static_assert(sizeof(struct value) == 24, "value has no holes");
_Static_assert(sizeof(struct recipe) == 40, "recipe has no holes");

#endif
