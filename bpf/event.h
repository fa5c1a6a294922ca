/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the kernel programs and Rust: what user space sets
 * before load, and the records that travel through the ring buffer. Rust takes
 * these types from the skeletons' BTF; there is no second definition.
 *
 * Ring-buffer memory is not zeroed, so records have no implicit padding.
 */
#ifndef PYTRACE_EVENT_H
#define PYTRACE_EVENT_H

#include <linux/types.h>

#include "value.h"

/* Bytes read from the start of a frame; no version needs more. */
#define FRAME_HEAD_MAX 128
/* Bytes read from the start of a code object: up to co_qualname in any version. */
#define CODE_HEAD_MAX 160
/* Bytes kept of a code object's file name and name, in short and long records. */
#define STRING_SHORT 192
#define STRING_LONG  16384
/* Frames reported of a stack that was there before the recording: as many as the kernel can
 * loop over, Linux 5.17 and before. */
#define RUNNING_MAX	     (1 << 17)
#define RUNNING_MAX_UNROLLED 1024

/* Which field says how a suspended frame of 3.6 to 3.10 is told from a finished one. */
enum frame_state {
	FRAME_STATE_NONE, /* 3.11+: the opcode handlers tell */
	FRAME_STATE_STACKTOP, /* f_stacktop: a pointer, null when finished */
	FRAME_STATE_CHAR, /* f_state: FRAME_SUSPENDED is -1 (3.10) */
};

/* How a thread finds its PyThreadState. */
enum tstate_source {
	TSTATE_NONE,
	TSTATE_GLOBAL, /* a global pointer, at the process's tstate_address */
	TSTATE_FS_BASE, /* thread-local: the pointer at fs_base + plan.tstate_offset */
	TSTATE_TLS_INDEX, /* a library's: plan.tstate_offset from what the tls_index at the
			     process's tstate_address stands for */
	TSTATE_TLS_DESCRIPTOR, /* the same with a TLS descriptor */
};

/* Where one interpreter build keeps things: byte offsets into its structs. */
struct plan {
	__u64 code_tag_mask; /* bits of a code pointer that are not address */
	__u64 text; /* the interpreter's own code: where calls from compiled code don't come from */
	__u64 text_bytes; /* 0: what is returned there lies where it always does */
	__s32 tstate_offset;
	__u32 tstate_source;
	__u32 frame_state;
	__u16 frame_head; /* bytes of a frame that cover all frame_* */
	__u16 frame_code;
	__u16 frame_previous;
	__u16 frame_lasti;
	__u16 frame_state_offset;
	__u16 frame_owner; /* 0: every frame is an activation */
	__u16 code_head; /* bytes of a code object that cover all code_* */
	__u16 code_flags;
	__u16 code_firstlineno;
	__u16 code_filename;
	__u16 code_name; /* co_qualname where the version has it */
	__u16 code_instructions; /* 0: not part of the code object */
	__u16 str_ascii;
	__u16 str_compact;
	__u16 tstate_frame;
	__u16 cframe_frame;
	__u16 tstate_exception;
	__u16 type_name; /* PyTypeObject.tp_name */
	__u16 frame_locals; /* 0: code objects have qualified names; else, for method.h: */
	__u16 code_nlocals;
	__u16 code_varnames;
	__u16 code_cellvars;
	__u16 function_code;
	__u16 function_closure;
	__u16 function_qualname;
	__u16 type_qualname; /* PyHeapTypeObject.ht_qualname */
	__u8 tstate_has_cframe;
	__u8 resume_location_mask;
	__u8 exception_is_type; /* curexc_type (up to 3.11), not an instance */
	__u8 external_calls; /* record calls from the scope to code outside */
	__u8 resume_opcodes[4]; /* RESUME and its forms, 3.11+; 0: none */
	__u16 tstate_thread_id;
	__u16 code_copies; /* co_tlbc, in free-threaded builds since 3.14; 0: a code object's threads
			      all run the instructions behind it */
	__u16 frame_copy; /* tlbc_index, likewise */
	__u16 code_instrumentation; /* _co_instrumentation_version, 3.12+ */
	__u8 copies_items; /* _PyCodeArray.entries */
	__u8 ob_type; /* of every object; what is its own follows */
	__u8 str_kind_bit; /* in a str's state */
	__u8 code_first_traceable; /* how far before the instructions, 3.11+ */
	__u8 infer_yields; /* YIELD_VALUE has no probe, or not everywhere: see yields.h */
	__u8 keep_generators; /* for that, or as its probe has but the caller: see generators.h */
	__u8 generator_executing; /* what gi_frame_state is while a generator runs */
	/* 3.15+, with the JIT: the opcodes by which ENTER_EXECUTOR tells in place of which RESUME it is */
	__u8 pop_top_opcode;
	__u8 return_generator_opcode;
	__u8 yield_opcodes[2];
	__u8 free_threaded; /* built without the GIL: threads run at the same time */
	__u8 pad[4];
};

/* What it means that a probe fired; bits 0-7 of a probe's cookie. */
enum probe_kind {
	PROBE_RESUME = 1, /* RESUME: start or resumption by its argument */
	PROBE_EVAL, /* evaluator entry, up to 3.10: by f_lasti */
	PROBE_THROW,
	PROBE_USDT_ENTRY,
	PROBE_RETURN,
	PROBE_RETURN_CONST, /* 3.12 and 3.13 */
	PROBE_YIELD,
	PROBE_UNWIND,
	PROBE_POP, /* by the thread state's current exception */
	PROBE_EVAL_EXIT, /* by the value returned and the frame's state */
	PROBE_USDT_RETURN,
	PROBE_CODE_FREED, /* rdi = code object */
	PROBE_TYPE_FREED, /* rdi = type */
	PROBE_GENERATOR_MADE,
	PROBE_EXECUTOR, /* ENTER_EXECUTOR, 3.15+: compiled code is entered, maybe at a RESUME */
	PROBE_PENDING, /* _Py_HandlePending, 3.15+ with the JIT; rdi = thread state */
};

/* The rest of a cookie. Registers are numbered as in instructions (rax = 0). */
#define COOKIE_KIND(cookie)  ((cookie)&0xff)
#define COOKIE_FRAME(cookie) ((cookie) >> 8 & 0xff) /* register or COOKIE_TSTATE */
#define COOKIE_EXTRA(cookie)                                                                       \
	((cookie) >> 16 & 0xff) /* next_instr, throwflag, thread state, retval, stack */
/* From next_instr to the argument; from the stack to what is yielded, unless COOKIE_IS_CALLER: then that
 * is in the register itself. */
#define COOKIE_DELTA(cookie)	((__s8)((cookie) >> 24 & 0xff))
#define COOKIE_PROBE(cookie)	((cookie) >> 32 & 0xff) /* index into checks */
#define COOKIE_GIVES_UP(cookie) ((cookie) >> 40 & 3) /* enum gives_up */
/* The frame's register points to the stack, where 8 bytes at a distance of so many words are the
 * frame's address. */
#define COOKIE_ON_STACK(cookie) ((cookie) >> 42 & 1)
#define COOKIE_SLOT(cookie)	((__s64)(cookie) >> 48)
/* What is found like a frame is the one to which a generator has yielded. */
#define COOKIE_IS_CALLER(cookie) ((cookie) >> 43 & 1)
#define COOKIE_TSTATE		 0xfe
#define COOKIE_STACK_POINTER	 0xfe /* of what is yielded: the frame's own */
#define COOKIE_NO_REGISTER	 0xff

/* Before 5.15 there are no cookies. There they are in a map, by the probe's address in the file and
 * the program that it runs; COOKIE_NONE is of none. */
enum probed_by {
	PROBED_BY_ENTER,
	PROBED_BY_LEAVE,
	PROBED_BY_FREED,
	PROBED_BY_USDT_ENTRY,
	PROBED_BY_USDT_RETURN,
};
#define PROBE_PLACE(address, program) ((address) << 3 | (program))
#define COOKIE_NONE		      0

#define PLAN_PROBES 256

/* What became of the check of a probe. */
enum check_state {
	CHECK_PENDING,
	CHECK_PASSED,
	CHECK_THREAD_STATE, /* not the register: the thread state has the frame */
	CHECK_FAILED, /* nothing has: its events are lost */
};

/* A probe's first hits, checked. */
#define CHECK_HITS 16
/* One in so many may disagree: a thread state may be looked at while it is being changed. */
#define CHECK_TOLERANCE 4

struct probe_check {
	__u32 hits; /* checked so far */
	__u32 disagreed;
	__u32 state; /* enum check_state */
	__u32 no_retval; /* the value returned is not where it is said to be */
};

/* With which zero flag RESUME_CHECK, or ENTER_EXECUTOR, goes to where another has a probe. */
enum gives_up {
	GIVES_UP_NOT,
	GIVES_UP_UNLESS_ZERO,
	GIVES_UP_IF_ZERO,
};

/* What user space said of a code object. */
enum verdict {
	VERDICT_UNKNOWN, /* not asked yet: everything is sent */
	VERDICT_INTERNAL,
	VERDICT_EXTERNAL, /* sent when the caller is internal and external calls are recorded */
	VERDICT_IMPORT, /* the import system: sent when the caller is internal */
	VERDICT_SHIM, /* no activation: what lies under a specialised class call's __init__ */
	VERDICT_STANDS_IN, /* no activation: sent, as it tells of a C function's */
};

/* co_firstlineno of the code objects by which an interpreter tells of C functions' starts and ends
 * (src/record/request/finder.py): "pytr". */
#define STAND_IN_LINE 0x70797472

/* Identity of a code object: an address is only unique within a process. */
struct code_key {
	__u64 code;
	__u32 tgid;
	__u32 pad;
};

/* User space's answer to an EVENT_CODE; valid while the code object lives that had that id, or an
 * earlier one. */
struct answer {
	__u64 id;
	__u32 verdict;
	__u32 pad;
};

/* How a process is watched; 0: not any more. */
enum watch {
	WATCH_HOLD = 1, /* born under our eyes: stop it until its probes are on */
	WATCH_ONLY, /* it was there before us: not held for its probes; its children are another matter */
};

/* In place of the one process that is recorded. */
#define EVERYBODY 0xffffffff

/* What one process adds to the plan. */
struct process {
	__u64 tstate_address; /* what leads to the thread states: see enum tstate_source */
	__u64 bias; /* of the interpreter's addresses, from those in its file */
};

/* What a thread has lost since its last record. */
struct loss {
	__u64 since; /* time of the first */
	__u64 starts;
	__u64 ends;
};

/* How a process that we stop stands: when, and how, it was stopped last for the ring's sake and, of any
 * stop, whether others want it as well (see foreign.h). Signals are bits as in a sigset_t. */
struct stop {
	__u64 time; /* of the record that tells; 0: never */
	__u32 asked; /* 1: not by a signal, but the watchdog was asked to halt it */
	__u32 due; /* SIGSTOPs of ours that have not been generated yet */
	__u32 held; /* 1: it has got ours, and no SIGCONT since */
	__u32 wanted; /* stop signals that others have sent since their last SIGCONT */
	__u32 owed; /* signals that user space is to send, as one of its own has undone others' */
	__u32 let_go; /* 1: somebody else has ended a hold of ours since we last ended one */
};

/* How a full ring is dealt with. */
struct pressure {
	__u64 woken; /* when user space was woken up last */
	__u32 lossless; /* 1: processes are stopped until there is room */
	__u32 absent; /* 1: user space stands still, nobody must be stopped at all */
};

/* What the watchdog is woken for. */
enum alarm_kind {
	ALARM_END, /* pytrace has ended */
	ALARM_HALT, /* a process is to be halted for the ring's sake */
};

struct alarm {
	__u32 kind; /* enum alarm_kind */
	__u32 tgid;
	__u64 time;
};

enum event_kind {
	EVENT_CODE = 1, /* struct event_code, short or long */
	EVENT_ENTER, /* struct event_enter */
	EVENT_EXIT, /* struct event_exit */
	EVENT_RUNNING, /* struct event_running, innermost frame first */
	EVENT_EXEC, /* struct event_process: a held target is stopped before the new program's
		       first instruction; head.tid is what the calling thread's id was, which
		       has become the process's */
	EVENT_LOADED, /* struct event_process: and again at its entry point, libraries mapped, or
			 when it has mapped libpython later */
	EVENT_THREAD_END, /* struct event_process */
	EVENT_FORK, /* struct event_process of the child, which has not run yet */
	EVENT_BORN, /* struct event_process: a copy of an interpreter's process is stopped before
		       its first instruction */
	EVENT_PROCESS_END, /* struct event_process: its last thread has ended */
	EVENT_TYPE, /* struct event_type */
	EVENT_PARAMETERS, /* struct event_parameters: its EVENT_CODE came right before */
	EVENT_GAP, /* struct event_gap: before the thread's next record, or its end */
	EVENT_STOPPED, /* struct event_process: it is stopped until the ring has room again */
	EVENT_COMPILES, /* struct event_process: its JIT is about to compile code, and was taken to be
			   off */
	EVENT_READY, /* struct event_ready: its interpreter is about to run the user's program, and it is
			stopped there */
};

/* event_head.detail of EVENT_CODE: what event_code.qualifier is */
enum qualifier {
	QUALIFIER_NONE,
	QUALIFIER_FUNCTION, /* the function's __qualname__ */
	QUALIFIER_CLASS, /* that of the class that may define the function */
};

/* event_head.detail of EVENT_ENTER */
enum enter {
	ENTER_START,
	ENTER_RESUME,
	ENTER_THROW,
	ENTER_RESUME_AGAIN, /* ENTER_RESUME of a frame that was running: it has yielded since the
			       thread's previous record (see yields.h) */
	ENTER_NAMED, /* ENTER_START or ENTER_RESUME: only the function's name is known, for which
			`frame` stands (see names.h) */
};

/* event_head.detail of EVENT_EXIT */
enum exit {
	EXIT_RETURN,
	EXIT_YIELD,
	EXIT_UNWIND,
	EXIT_YIELD_INFERRED, /* at some time since the thread's previous record */
	EXIT_NAMED, /* in any way: ENTER_NAMED's `frame`, the innermost if there are several */
	EXIT_NEVER_RAN, /* the thread's innermost ENTER_NAMED was none: the function's generator was
			   made */
};

/* The head of every record. */
struct event_head {
	__u8 kind; /* enum event_kind */
	__u8 detail;
	__u16 pad;
	__u32 pad2;
	__u32 tgid;
	__u32 tid;
	__u64 time; /* CLOCK_MONOTONIC, nanoseconds */
};

enum string_width {
	WIDTH_UTF8 = 8, /* no str object's: a C string of `length` bytes, or more than `bytes` */
};

/* A str object as it lies in memory: `bytes` bytes captured of `length` code points of
 * `width` bytes each. */
struct string {
	__u64 data; /* where its characters are */
	__u32 length;
	__u16 bytes;
	__u8 width; /* 1, 2 or 4; 0: not readable; or WIDTH_UTF8 */
	__u8 ascii;
};

/* EVENT_CODE: a code object seen for the first time. Its file name, name and qualifier are at
 * text[0], text[STRING_SHORT] and text[2 * STRING_SHORT] or, in the long form, at multiples of
 * STRING_LONG. */
struct event_code {
	struct event_head head;
	__u64 code;
	__u64 id;
	__u32 flags;
	__u32 first_line;
	struct string filename;
	struct string name;
	struct string qualifier;
	__u8 first_argument
		[8]; /* its name, or the start of it; only where there is no co_qualname */
};

struct event_code_short {
	struct event_code code;
	__u8 text[3 * STRING_SHORT];
};

struct event_code_long {
	struct event_code code;
	__u8 text[3 * STRING_LONG];
};

/* EVENT_ENTER: an activation starts or resumes. Behind a start's: the values of its parameters, in
 * the order of the frame's locals (struct value). */
struct event_enter {
	struct event_head head;
	__u64 frame;
	__u64 previous; /* the frame below; an activation's, or 0 */
	__u64 code;
};

/* EVENT_EXIT: an activation ends or suspends. Behind it, except EXIT_UNWIND's: the value it returns
 * or yields, where that is known. exception: type name of what unwinds it, EXIT_UNWIND only (struct
 * event_unwind); behind that, the exception. */
struct event_exit {
	struct event_head head;
	__u64 frame;
};

struct event_unwind {
	struct event_exit exit;
	__u8 exception[64];
};

/* EVENT_GAP: starts and ends of this thread are missing here. */
struct event_gap {
	struct event_head head;
	__u64 since; /* time of the first of them */
	__u64 starts;
	__u64 ends;
};

/* event_head.detail of EVENT_RUNNING */
enum running {
	RUNNING_UNKNOWN, /* the whole stack is reported, down to its bottom or a cut */
	RUNNING_COMPILED, /* frames that began in compiled code since the thread's previous record, and
			     last, with `code` 0, the one below them, of which user space knows; without
			     that, the whole stack */
};

/* EVENT_RUNNING: a frame that was active before the thread's first event, that became active while
 * events were lost, or that no probe saw begin (see compiled.h). */
struct event_running {
	struct event_head head;
	__u64 frame;
	__u64 code;
	__u32 depth; /* from the innermost frame, 0 */
	__u32 cut; /* 1: there are more frames below, which are not reported */
};

/* The rest: what happens to processes. */
struct event_process {
	struct event_head head;
	__u32 parent; /* EVENT_FORK, EVENT_BORN: the process that made this one */
	__u32 held; /* 1: it is stopped until it gets a SIGCONT. EVENT_STOPPED, 0: the watchdog has been
		       asked to halt it. EVENT_PROCESS_END, 1: nobody has let it go on before its end */
};

struct event_ready {
	struct event_head head;
	__u64 stack; /* the stack pointer there, at the start of a function */
	__u32 result; /* what a function called before may have returned, an int */
	__u32 held; /* as in struct event_process */
};

/* event_head.detail of EVENT_TYPE */
enum type_detail {
	TYPE_HEAP = 1, /* made by a class statement, or by C at run time */
	TYPE_ENUM = 2, /* its metaclass is enum's */
};

/* EVENT_TYPE: a type is seen for the first time. It may replace another at that address. */
struct event_type {
	struct event_head head;
	__u64 address;
	struct string qualname; /* at text[0]; width 0: it has none, and `name` says it all */
	struct string module; /* at text[STRING_SHORT]; width 0: likewise */
	__u8 name[TYPE_NAME_MAX]; /* tp_name: a string, cut where it is too long */
	__u8 slots[SLOTS_MAX][SLOT_NAME_MAX]; /* strings; "": no more */
	__u16 slot[SLOTS_MAX]; /* offsets of these in an instance */
	__u16 slots_found; /* how many there are */
	__u16 slots_hidden; /* 1: there are others */
	__u16 pad[2];
	__u8 text[2 * STRING_SHORT];
};

/* EVENT_PARAMETERS: of a code object, in the order of the frame's locals: first the positional
 * ones, then those that are keyword-only, then *args, then **kwargs. Behind it: their names. */
struct event_parameters {
	struct event_head head;
	__u64 code;
	__u32 positional;
	__u32 keyword_only;
	__u32 flags; /* co_flags: CO_VARARGS 4, CO_VARKEYWORDS 8 */
	__u32 pad;
};

_Static_assert(sizeof(struct plan) == 120, "plan has no holes");
_Static_assert(sizeof(struct event_head) == 24, "head has no holes");
_Static_assert(sizeof(struct event_code) == 104, "code has no holes");
_Static_assert(sizeof(struct event_enter) == 48, "enter has no holes");
_Static_assert(sizeof(struct event_exit) == 32, "exit has no holes");
_Static_assert(sizeof(struct event_gap) == 48, "gap has no holes");
_Static_assert(sizeof(struct alarm) == 16, "alarm has no holes");
_Static_assert(sizeof(struct stop) == 32, "stop has no holes");
_Static_assert(sizeof(struct event_running) == 48, "running has no holes");
_Static_assert(sizeof(struct event_process) == 32, "process has no holes");
_Static_assert(sizeof(struct event_ready) == 40, "ready has no holes");
_Static_assert(sizeof(struct event_type) == 1112, "type has no holes");
_Static_assert(sizeof(struct event_parameters) == 48, "parameters has no holes");

#endif
