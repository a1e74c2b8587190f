// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Nothing, on the hooks loopsnoop uses: the floor of what a BPF program there costs. */
#include "lib/kernel.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_switch")
int BPF_PROG(empty_switch, bool preempt, struct task_struct *prev, struct task_struct *next) { return 0; }

SEC("tp_btf/sched_waking")
int BPF_PROG(empty_waking, struct task_struct *task) { return 0; }

SEC("tp_btf/sched_process_fork")
int BPF_PROG(empty_fork, struct task_struct *parent, struct task_struct *child) { return 0; }

SEC("tp_btf/sched_process_exec")
int BPF_PROG(empty_exec, struct task_struct *task) { return 0; }

SEC("tp_btf/sched_process_exit")
int BPF_PROG(empty_exit, struct task_struct *task) { return 0; }

SEC("tracepoint")
int empty_sys_enter(void *ctx) { return 0; }

SEC("tracepoint")
int empty_sys_exit(void *ctx) { return 0; }
