/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's running generators, as far as they were sent. Kept where a probe on YIELD_VALUE does not
 * have the frame (plan.keep_generators), or where there is none (yields.h).
 */
#ifndef PYTRACE_GENERATORS_H
#define PYTRACE_GENERATORS_H

#include "codes.h"

/* The low bits of PyCodeObject._co_instrumentation_version are flags (3.12 to 3.15). */
#define EVENTS_BITS 8

struct generator {
	__u64 frame;
	__u64 previous; /* the frame below */
	__u64 code; /* without its 16 high bits, where the version is */
};

/* As many as a thread's storage has room for; the recursion limit is 1000 unless it was raised. One
 * that finds no room ends when its caller goes on. */
#ifndef BEFORE_5_15
#define GENERATORS 2560
#else
#define GENERATORS 1280
#endif
/* What runs before the recording is found from the inside out and grows downwards from here. */
#define GENERATORS_MIDDLE 256

struct generators {
	__u32 bottom;
	__u32 top;
	__u64 again; /* the frame that next runs a RESUME which has been told of, see expect_again() */
	struct generator list[GENERATORS];
};

/* Threads that may have generators, by id: others are spared the look. */
#define GENERATOR_THREADS 65536
__u8 generator_threads[GENERATOR_THREADS];

static __always_inline bool may_have_generators(__u64 id)
{
	return plan.keep_generators && generator_threads[id & (GENERATOR_THREADS - 1)];
}

#ifndef BEFORE_5_15

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct generators);
} generators SEC(".maps");

/* The current thread's; NULL: it has none. */
static __always_inline struct generators *find_generators(__u64 id)
{
	return bpf_task_storage_get(&generators, bpf_get_current_task_btf(), NULL, 0);
}

static __always_inline struct generators *make_generators(__u64 id)
{
	return bpf_task_storage_get(&generators, bpf_get_current_task_btf(), NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

#else

/* The same by the thread's id, until the recording is over: a thread's end is not told here, so
 * that a later thread with the same id must be known from the former. */
struct thread_generators {
	__u64 started; /* when the thread did */
	struct generators generators;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64); /* tgid << 32 | tid */
	__type(value, struct thread_generators);
} generators SEC(".maps");

/* What a thread's are to begin with: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread_generators);
} no_generators SEC(".maps");

static __always_inline struct generators *find_generators(__u64 id)
{
	struct thread_generators *mine = bpf_map_lookup_elem(&generators, &id);
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!mine || mine->started != BPF_CORE_READ(task, start_time))
		return NULL;
	return &mine->generators;
}

static __always_inline struct generators *make_generators(__u64 id)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 started = BPF_CORE_READ(task, start_time);
	struct thread_generators *mine = bpf_map_lookup_elem(&generators, &id);
	__u32 only = 0;

	if (!mine) {
		mine = bpf_map_lookup_elem(&no_generators, &only);
		if (!mine)
			return NULL;
		bpf_map_update_elem(&generators, &id, mine, BPF_ANY);
		mine = bpf_map_lookup_elem(&generators, &id);
		if (!mine)
			return NULL;
	}
	if (mine->started != started) {
		mine->started = started;
		mine->generators.bottom = mine->generators.top = 0;
	}
	return &mine->generators;
}

#endif

static __always_inline struct generator *generator_at(struct generators *mine, __u64 at)
{
	/* the verifier must see the bound on the very register that is added, and before it is */
	asm volatile("" : "+r"(at));
	if (at >= GENERATORS)
		return NULL;
	asm volatile("" : "+r"(at));
	return &mine->list[at];
}

static __always_inline struct generators *new_generators(__u64 id)
{
	struct generators *mine = make_generators(id);

	generator_threads[id & (GENERATOR_THREADS - 1)] = 1;
	if (mine && !mine->top)
		mine->bottom = mine->top = GENERATORS_MIDDLE;
	return mine;
}

/* Changes when the code object is instrumented, or is so no more (sys.monitoring). */
static __always_inline __u64 with_version(__u64 code)
{
	__u64 version = read_pointer(code + plan.code_instrumentation);

	return code << 16 >> 16 | version >> EVENTS_BITS << 48;
}

/* A generator goes on, and that was sent. `code` comes with its version. */
__noinline int push_generator(__u64 frame, __u64 previous, __u64 code, __u64 id)
{
	struct generators *mine = new_generators(id);
	struct generator *last;

	if (!mine)
		return -1;
	last = mine->top > mine->bottom ? generator_at(mine, mine->top - 1) : NULL;
	if (last && last->frame == frame)
		mine->top--; /* RESUME is run again */
	if (mine->top >= GENERATORS)
		return -1;
	mine->list[mine->top] = (struct generator){frame, previous, code};
	mine->top++;
	return 0;
}

/* A generator has been going on for some time: the outermost so far. */
__noinline int insert_generator(__u64 frame, __u64 previous, __u64 code, __u64 id)
{
	struct generators *mine = new_generators(id);
	__u32 at;

	if (!mine)
		return -1;
	at = mine->bottom - 1;
	if (at >= GENERATORS)
		return -1;
	mine->list[at] = (struct generator){frame, previous, with_version(code)};
	mine->bottom = at;
	return 0;
}

/* The thread's stack is about to be looked at anew. */
static __always_inline void forget_generators(__u64 id)
{
	struct generators *mine;

	if (!may_have_generators(id))
		return;
	mine = find_generators(id);
	if (mine) {
		mine->bottom = mine->top = GENERATORS_MIDDLE;
		mine->again = 0;
	}
}

/* Where the kernel has no loops. */
#define GENERATORS_UNROLLED 64

/* A search for one generator. */
struct search {
	struct generators *mine;
	__u64 frame; /* its own; 0: not known before it is found */
	__u64 caller; /* it has yielded to that */
	__u32 at; /* where it is */
};

/*
 * Whether a generator has yielded to a frame. Each frame has called one other at most, and one that is
 * suspended has no caller any more. Both are asked, as stacks that take turns on one thread (greenlets)
 * may have frames in the same place of it.
 */
static __always_inline bool has_yielded(const struct generator *generator, __u64 caller)
{
	return generator->previous == caller &&
	       !read_pointer(generator->frame + plan.frame_previous);
}

/* Looks at the next generator, from the innermost on; 1 when it is found, or there are no more. */
static long search_step(__u32 index, struct search *search)
{
	struct generators *mine = search->mine;
	__u32 at = mine->top - 1 - index;
	struct generator *generator = generator_at(mine, at);

	if (!generator || at < mine->bottom)
		return 1;
	if (search->frame ? generator->frame != search->frame
			  : !has_yielded(generator, search->caller))
		return 0;
	search->frame = generator->frame;
	search->at = at;
	return 1;
}

/*
 * Takes a generator away that does not run any more: by its frame, or if that is 0, the one that has
 * just yielded to a caller. Returns its frame; 0: it is not kept.
 */
__noinline __u64 take_generator(__u64 frame, __u64 caller, __u64 id)
{
	struct search search = {.frame = frame, .caller = caller, .at = GENERATORS};
	struct generators *mine;
	struct generator *found, *last;

	if (!may_have_generators(id))
		return 0;
	mine = find_generators(id);
	if (!mine)
		return 0;
	search.mine = mine;
	if (HAS_LOOPS) {
		bpf_loop(GENERATORS, search_step, &search, 0);
	} else {
		for (__u32 i = 0; i < GENERATORS_UNROLLED; i++)
			if (search_step(i, &search))
				break;
	}
	found = generator_at(mine, search.at);
	last = generator_at(mine, mine->top - 1);
	if (!found || !last)
		return 0;
	/* The last one into its place: the order does not matter to who looks for one of them. */
	*found = *last;
	mine->top--;
	return search.frame;
}

#endif
