/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading CPython's objects out of the target's memory. Knows no version: every
 * offset comes from `plan`, which is read-only data, so the verifier sees
 * constants and drops the branches that this interpreter does not need.
 *
 * A user-memory read costs the same whatever its size (72 ns on the machine
 * this was measured on), hence one read of a frame's head, not one per field.
 */
#ifndef PYTRACE_PYTHON_H
#define PYTRACE_PYTHON_H

#include "event.h"

/* As in the kernel's enum, which the build machine's headers may be too old to have in full. */
enum bpf_func_id___newer {
	BPF_FUNC_loop___newer = 181,
};

const volatile struct plan plan;

/* The processes that run this build. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u32); /* tgid */
	__type(value, struct process);
} processes SEC(".maps");

/* Whether the build has no GIL, so that threads run at the same time. */
#define FREE_THREADED plan.free_threaded

/* PyObject ends with ob_type; PyVarObject's ob_size follows. */
#define OB_TYPE plan.ob_type
#define OB_SIZE (OB_TYPE + 8)

/* PyASCIIObject, the same in all versions: behind its head the length, the hash, and a word of state, in
 * which the characters' width (kind, 3 bits) is followed by two bits, compact and ascii. */
#define STR_LENGTH	   OB_SIZE
#define STR_STATE	   (OB_SIZE + 16)
#define STR_HEAD	   (OB_SIZE + 24)
#define STR_KIND(state)	   ((state) >> plan.str_kind_bit & 7)
#define STR_COMPACT(state) ((state) >> (plan.str_kind_bit + 3) & 1)
#define STR_ASCII(state)   ((state) >> (plan.str_kind_bit + 4) & 1)
/* At the most. */
#define STR_HEAD_MAX 56

struct frame_head {
	__u8 bytes[FRAME_HEAD_MAX];
};

#define FIELD(type, head, offset) (*(type *)((head)->bytes + (offset)))

static __always_inline bool read_frame(struct frame_head *head, __u64 frame)
{
	return !bpf_probe_read_user(head->bytes, plan.frame_head, (void *)frame);
}

static __always_inline __u64 frame_code(const struct frame_head *head)
{
	return FIELD(__u64, head, plan.frame_code) & ~plan.code_tag_mask;
}

static __always_inline __u64 frame_previous(const struct frame_head *head)
{
	return FIELD(__u64, head, plan.frame_previous);
}

/* From 3.12 on, each call from C into Python puts a frame of no function on the C stack
 * (FRAME_OWNED_BY_CSTACK, 3.14: or FRAME_OWNED_BY_INTERPRETER; the highest values of
 * enum _frameowner). */
#define FRAME_OWNED_BY_C 3

static __always_inline bool is_entry_frame(const struct frame_head *head)
{
	return plan.frame_owner && FIELD(__u8, head, plan.frame_owner) >= FRAME_OWNED_BY_C;
}

static __always_inline __u64 read_pointer(__u64 address)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

/* Where the current thread's own control block is: what pthread_self() returns. */
static __always_inline __u64 fs_base(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread.fsbase);
}

/* glibc's thread control block has a pointer to the dynamic thread vector (dtv): 16 bytes for
 * each module (library) with thread-local storage, the address of this thread's block first.
 * The entry before the vector's start has its length. (sysdeps/generic/dl-dtv.h,
 * sysdeps/x86_64/nptl/tls.h) */
#define TCB_DTV		8
#define DTV_ENTRY	16
#define DTV_UNALLOCATED (~0UL)

struct tls_index {
	__u64 module;
	__u64 offset;
};

/* What __tls_get_addr would return; 0 where the thread has not touched that library's storage. */
static __always_inline __u64 tls_address(__u64 fs_base, __u64 index_address)
{
	struct tls_index index;
	__u64 dtv, block;

	if (bpf_probe_read_user(&index, sizeof(index), (void *)index_address))
		return 0;
	dtv = read_pointer(fs_base + TCB_DTV);
	if (!index.module || index.module > read_pointer(dtv - DTV_ENTRY))
		return 0;
	block = read_pointer(dtv + index.module * DTV_ENTRY);
	return block && block != DTV_UNALLOCATED ? block + index.offset : 0;
}

/* What a TLS descriptor describes. Its second word is a distance from the thread pointer, below
 * which all storage lies that is there from the start, or else the address of a tls_index
 * (struct tlsdesc_dynamic_arg, sysdeps/x86_64/dl-tlsdesc.h). */
static __always_inline __u64 tls_described(__u64 fs_base, __u64 descriptor)
{
	__s64 argument = read_pointer(descriptor + sizeof(__u64));

	return argument < 0 ? fs_base + argument : tls_address(fs_base, argument);
}

/* The current thread's PyThreadState, or 0. */
__noinline __u64 thread_state(__u64 id)
{
	struct process *process;
	__u64 variable = 0;
	__u32 tgid = id >> 32;

	if (plan.tstate_source == TSTATE_NONE)
		return 0;
	if (plan.tstate_source == TSTATE_FS_BASE)
		return read_pointer(fs_base() + plan.tstate_offset);
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process)
		return 0;
	if (plan.tstate_source == TSTATE_GLOBAL)
		return read_pointer(process->tstate_address);
	if (plan.tstate_source == TSTATE_TLS_INDEX)
		variable = tls_address(fs_base(), process->tstate_address);
	if (plan.tstate_source == TSTATE_TLS_DESCRIPTOR)
		variable = tls_described(fs_base(), process->tstate_address);
	return variable ? read_pointer(variable + plan.tstate_offset) : 0;
}

/* The frame that a thread state says is running. */
static __always_inline __u64 current_frame(__u64 tstate)
{
	__u64 frame = tstate ? read_pointer(tstate + plan.tstate_frame) : 0;

	if (plan.tstate_has_cframe && frame)
		frame = read_pointer(frame + plan.cframe_frame);
	return frame;
}

/* The exception that is being propagated: an instance, or a type up to 3.11; or 0. */
static __always_inline __u64 current_exception(__u64 tstate)
{
	return tstate ? read_pointer(tstate + plan.tstate_exception) : 0;
}

/* Reads what tells of a str object's size, and where its characters are; 0 if unreadable. */
static __always_inline __u64 read_string_head(struct string *string, __u64 object)
{
	__u8 head[STR_HEAD_MAX];
	__u64 length;
	__u32 state;

	*string = (struct string){};
	if (!object || STR_HEAD > sizeof(head) ||
	    bpf_probe_read_user(head, STR_HEAD, (void *)object))
		return 0;
	state = *(__u32 *)(head + STR_STATE);
	length = *(__u64 *)(head + STR_LENGTH);
	if (!STR_COMPACT(state)) /* no code object's string is not */
		return 0;
	string->length = length > 0xffffffff ? 0xffffffff : length;
	string->width = STR_KIND(state);
	string->ascii = STR_ASCII(state);
	return object + (string->ascii ? plan.str_ascii : plan.str_compact);
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

#endif
