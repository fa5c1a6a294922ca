/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects that other threads change while they are read: in free-threaded builds, where this thread
 * standing still keeps nobody else from running.
 *
 * A reference that was copied out of a container keeps nothing alive: another thread may take it out, let
 * the object go, and put another in its place. So what was read of each container is read again when all
 * that it leads to has been captured. If it is the same, all of that has been in there all the time; else
 * the container is marked, and user space shows nothing of what it holds. What cannot change, such as a
 * tuple, needs none of that. Only CPython's own lock on the object would leave no gap: a container
 * that was changed and then changed back to the very same addresses, within the microseconds that this
 * takes, passes for unchanged.
 */
#ifndef PYTRACE_CHANGES_H
#define PYTRACE_CHANGES_H

#include "queue.h"

/* What a list, a dict, a set, a bytearray has behind its head: all that changes when it is filled, emptied
 * or moved. */
#define STATE_BYTES 32

/* The head of a free-threaded build's object (Include/object.h): in the second word, the owner's count of
 * references in the upper half; in the third, that of all others above two bits of flags. */
#define OB_REF_LOCAL_WORD   1
#define OB_REF_LOCAL_SHIFT  32
#define OB_REF_SHARED_WORD  2
#define OB_REF_SHARED_SHIFT 2

/* Whether nobody refers to the object whose head was read any more. Deferred and immortal ones have
 * references that count as a large number (Include/internal/pycore_object_deferred.h). */
static __always_inline bool is_dead(struct scratch *scratch)
{
	return FREE_THREADED && !(scratch->head[OB_REF_LOCAL_WORD] >> OB_REF_LOCAL_SHIFT) &&
	       (__s64)scratch->head[OB_REF_SHARED_WORD] >> OB_REF_SHARED_SHIFT <= 0;
}

/* A sum of words in which their order counts. */
static __always_inline __u64 add_word(__u64 sum, __u64 word)
{
	return (sum ^ word) * 0x9e3779b97f4a7c15UL;
}

/* The sum of what is in the window. */
__noinline __u64 sum_window(scratch_arg passed, __u64 bytes)
{
	struct scratch *scratch = passed_scratch(passed);
	__u64 sum = 0;

	if (!scratch)
		return 0;
	for (__u32 i = 0; i < WINDOW_WORDS && i < bytes / sizeof(__u64); i++)
		sum = add_word(sum, scratch->window[i]);
	return sum;
}

/* The sum of what is behind the head that was read. */
static __always_inline __u64 state_of(struct scratch *scratch)
{
	__u64 sum = 0;

	for (int i = 0; i < STATE_BYTES / 8; i++)
		sum = add_word(sum, scratch->head[OB_SIZE / 8 + i]);
	return sum;
}

/* Whether there is room to watch one more container; else it is not looked into. */
static __always_inline bool can_watch(struct scratch *scratch, struct value *value)
{
	if (!FREE_THREADED || scratch->watched + 2 <= WATCHED_MAX)
		return true;
	value->detail |= VALUE_SHALLOW;
	return false;
}

/* From now on, what was read at an address, whose sum is known, is the value's. */
static __always_inline void watch_sum(struct scratch *scratch, __u32 value, __u64 address,
				      __u32 bytes, __u64 sum)
{
	struct watched *watched = &scratch->watch[scratch->watched & (WATCHED_MAX - 1)];

	if (!FREE_THREADED || scratch->watched >= WATCHED_MAX)
		return;
	watched->address = address;
	watched->sum = sum;
	watched->bytes = bytes;
	watched->value = value;
	scratch->watched++;
}

/* The same of what lies in the window. */
static __always_inline void watch_window(struct scratch *scratch, __u32 value, __u64 address,
					 __u64 bytes)
{
	if (FREE_THREADED)
		watch_sum(scratch, value, address, bytes, sum_window(pass_scratch(scratch), bytes));
}

/* The same of a pointer. */
static __always_inline void watch_pointer(struct scratch *scratch, __u32 value, __u64 address,
					  __u64 pointer)
{
	if (FREE_THREADED)
		watch_sum(scratch, value, address, sizeof(pointer), add_word(0, pointer));
}

/* The same of the container whose head was read. */
static __always_inline void watch_state(struct scratch *scratch, __u32 value, __u64 object)
{
	if (FREE_THREADED)
		watch_sum(scratch, value, object + OB_SIZE, STATE_BYTES, state_of(scratch));
}

/* Whether other bytes lie at an address than those of that sum. */
__noinline int has_changed(scratch_arg passed, __u64 address, __u64 bytes, __u64 sum)
{
	struct scratch *scratch = passed_scratch(passed);

	if (!scratch)
		return true;
	asm volatile("" : "+r"(bytes));
	if (bytes > sizeof(scratch->window))
		return true;
	return bpf_probe_read_user(scratch->window, bytes, (void *)address) ||
	       sum_window(pass_scratch(scratch), bytes) != sum;
}

/* Marks the values of containers that have been changed since they were read. */
static __always_inline void mark_changed(struct scratch *scratch)
{
	for (__u32 i = 0; i < WATCHED_MAX && i < scratch->watched; i++) {
		struct watched *watched = &scratch->watch[i];

		if (has_changed(pass_scratch(scratch), watched->address, watched->bytes,
				watched->sum))
			value_at(scratch, watched->value)->detail |= VALUE_CHANGED;
	}
}

#endif
