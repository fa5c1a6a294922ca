// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same programs for kernels from 5.10 to 5.14: see kernels.h.
 */
#define BEFORE_5_15
#include "frames.bpf.c"
