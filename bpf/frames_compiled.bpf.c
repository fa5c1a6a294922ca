// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same programs for interpreters whose JIT is on. What compiled code has done is told through more
 * calls than the verifier allows before Linux 6.13, which gives programs that trace stacks of their own
 * (e00931c02568).
 */
#define WITH_COMPILED
#include "frames.bpf.c"
