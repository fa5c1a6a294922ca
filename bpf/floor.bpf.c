// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing but counting: what any tracer pays that puts the same probes on. Part of
 * benches/cost only, pytrace does not contain it.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/usdt.bpf.h>

__u64 hits;

SEC("uprobe")
int probe_hit(struct pt_regs *ctx)
{
	hits++;
	return 0;
}

SEC("usdt")
int usdt_hit(struct pt_regs *ctx)
{
	hits++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
