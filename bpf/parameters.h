/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parameters of a code object: told to user space once, and where a frame has their values.
 */
#ifndef PYTRACE_PARAMETERS_H
#define PYTRACE_PARAMETERS_H

#include "slots.h"
#include "values.h"

/* Cells that are looked at for these. */
#define CELLS_OF_ARGUMENTS 128
#define CO_VARARGS	   0x4
#define CO_VARKEYWORDS	   0x8
#define CO_FAST_CELL	   0x40 /* 3.11+, Include/internal/pycore_code.h */

static __always_inline bool is_self_or_cls(__u64 name)
{
	__u64 text = 0;

	bpf_probe_read_user(&text, 5, (void *)(name + plan.str_ascii));
	return text == 0x666c6573 || (text & 0xffffffff) == 0x00736c63;
}

/* Which parameters are in cells, because inner functions use them. */
static __always_inline void find_cells(struct parameters *parameters, struct scratch *scratch,
				       __u64 code, __u32 count)
{
	__u64 kinds, cell2arg, cells = 0, few = count;

	if (values.code_kinds) {
		kinds = read_pointer(code + values.code_kinds) + values.bytes_data;
		if (bpf_probe_read_user(scratch->window, PARAMETERS_MAX, (void *)kinds)) {
			/* the verifier must see the bound on the very register it checks */
			asm volatile("" : "+r"(few));
			if (few >= PARAMETERS_MAX ||
			    bpf_probe_read_user(scratch->window, few, (void *)kinds))
				return;
		}
		/* All of them, without a branch: the verifier would follow each way out. */
		for (__u32 i = 0; i < PARAMETERS_MAX; i++)
			cells |= (__u64)(((__u8 *)scratch->window)[i] / CO_FAST_CELL & 1) << i;
		parameters->cells = count < PARAMETERS_MAX ? cells & ((1UL << count) - 1) : cells;
		return;
	}
	cell2arg = read_pointer(code + values.code_cell2arg);
	if (!cell2arg)
		return;
	bpf_probe_read_user(&parameters->nlocals, 4, (void *)(code + values.code_nlocals));
	kinds = read_pointer(read_pointer(code + values.code_cellvars) + OB_SIZE);
	for (__u32 i = 0;
	     i < CELLS_OF_ARGUMENTS && i < kinds && parameters->captured < CAPTURED_MAX; i++) {
		__s64 argument = 0;

		if (values.code_cell2arg_width == 1)
			bpf_probe_read_user(&argument, 1, (void *)(cell2arg + i));
		else
			argument = read_pointer(cell2arg + i * 8);

		if (argument < 0 || argument >= PARAMETERS_MAX)
			continue;
		parameters->parameter[parameters->captured & (CAPTURED_MAX - 1)] = argument;
		parameters->cell[parameters->captured & (CAPTURED_MAX - 1)] = i;
		parameters->captured++;
	}
}

/* Eight objects' depths, in one word. */
#define DEPTHS 0x0101010101010101UL

/* Reads `count` references into the queue, as roots. */
static __always_inline bool queue_roots(struct scratch *scratch, __u64 address, __u32 count,
					__u64 depths)
{
	__u64 bytes = (__u64)count * 8;

	asm volatile("" : "+r"(bytes));
	if (bytes > PARAMETERS_MAX * 8)
		return false;
	if (bytes && bpf_probe_read_user(scratch->queue, bytes, (void *)address))
		return false;
	for (int i = 0; i < PARAMETERS_MAX / 8; i++)
		((__u64 *)scratch->depth)[i] = depths;
	scratch->tail = count;
	return true;
}

/* Tells user space of a code object's parameters; 0 where there was no room. What is to be kept of them
 * is put into the place that is passed. */
__noinline int emit_parameters(scratch_arg passed, __u64 code, __u64 flags)
{
	struct scratch *keeping = passed_scratch(passed), *scratch;
	struct event_parameters *record;
	__u32 positional = 0, keyword_only = 0, count;
	struct parameters *parameters;

	if (!values.wanted || !keeping)
		return 0;
	parameters = &keeping->parameters;
	__builtin_memset(parameters, 0, sizeof(*parameters));
	parameters->nlocals = LOCALS_UNKNOWN;
	if (values.code_nlocalsplus &&
	    (bpf_probe_read_user(&parameters->nlocals, 4,
				 (void *)(code + values.code_nlocalsplus)) ||
	     parameters->nlocals > LOCALS_UNKNOWN))
		parameters->nlocals = LOCALS_UNKNOWN;
	bpf_probe_read_user(&positional, 4, (void *)(code + values.code_argcount));
	bpf_probe_read_user(&keyword_only, 4, (void *)(code + values.code_kwonlyargcount));
	count = positional + keyword_only + !!(flags & CO_VARARGS) + !!(flags & CO_VARKEYWORDS);
	if (positional > 1 << 20 || keyword_only > 1 << 20)
		count = 0; /* of no code object */
	if (count > PARAMETERS_MAX)
		count = PARAMETERS_MAX;
	scratch = take_scratch(keeping->id, sizeof(*record));
	if (!scratch)
		return 0;
	record = (struct event_parameters *)scratch->data;
	fill_head(&record->head, EVENT_PARAMETERS, 0, keeping->id);
	record->code = code;
	record->positional = positional;
	record->keyword_only = keyword_only;
	record->flags = flags;
	record->pad = 0;
	if (queue_roots(scratch, read_pointer(code + values.code_names) + values.tuple_items, count,
			0)) {
		parameters->count = count;
		find_cells(parameters, scratch, code, count);
		parameters->is_method = positional && is_self_or_cls(scratch->queue[0]);
	}
	/* Not by capture_next(), which calls functions that have no room on the stack here. */
	scratch->limit = DATA_MAX - 8;
	for (int i = 0; i < PARAMETERS_MAX; i++)
		if (!capture_name(pass_scratch(scratch)))
			break;
	return send_scratch(scratch);
}

/* Puts what cells hold in the place of those cells. Not static: looked at apart from what comes after. */
__noinline int open_cells(scratch_arg passed, __u64 locals)
{
	struct scratch *scratch = passed_scratch(passed);
	const struct parameters *parameters;

	if (!values.wanted || !scratch)
		return 0;
	parameters = &scratch->parameters;
	if (values.code_kinds) {
		for (__u32 i = 0; i < PARAMETERS_MAX && i < parameters->count; i++)
			if (parameters->cells >> i & 1)
				scratch->queue[i] = read_pointer(
					(scratch->queue[i] & ~plan.code_tag_mask) + CELL_CONTENTS);
		return 0;
	}
	for (__u32 i = 0; i < CAPTURED_MAX && i < parameters->captured; i++) {
		__u64 slot = parameters->nlocals + parameters->cell[i];
		__u64 cell = read_pointer(locals + slot * 8);

		scratch->queue[parameters->parameter[i] & (PARAMETERS_MAX - 1)] =
			read_pointer(cell + CELL_CONTENTS);
	}
	return 0;
}

#endif
