/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All that the kernel side knows of x86-64. The upper half is plain C and belongs to the contract (abi/records.h includes it);
 * the lower half is for BPF programs only. Another CPU is another file with the same names, and a line in arch.h. */
#pragma once

/* The user registers of a capture, by their DWARF numbers (System V ABI AMD64, figure 3.36): rax rdx rcx rbx rsi rdi rbp rsp
 * r8..r15, then rip. */
#define LS_REGISTERS 17
#define LS_REGISTER_SP 7
#define LS_REGISTER_IP 16

#ifdef __bpf__

/* System calls that are known by more than their shape (arch/x86/entry/syscalls/syscall_64.tbl). */
#define LS_NR_POLL 7
#define LS_NR_SELECT 23
#define LS_NR_RENAME 82
#define LS_NR_IO_URING_ENTER 426

/* Registers that two sleeps at one place have alike: rbx, rdi, rbp, rsp, r12..r15, rip. Left out are those that calls return in
 * or overwrite (rax, rdx, rcx, r8..r11), and rsi, which holds buffers. */
#define LS_KEY_REGISTERS (1u << 3 | 1u << 5 | 1u << 6 | 1u << 7 | 0xfu << 12 | 1u << 16)

#define LS_PT_REGS_WORDS 21

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs { /* arch/x86/include/asm/ptrace.h */
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

struct thread_struct { /* arch/x86/include/asm/processor.h */
	unsigned long fsbase;
};

#pragma clang attribute pop

/* The register that points to the thread's control block, pthread_self() in glibc and musl. */
#define LS_THREAD_POINTER(task) BPF_CORE_READ(task, thread.fsbase)

/* `regs` of all of these as bpf_task_pt_regs() gives it: a pointer the verifier knows, so that plain loads do, where a helper's
 * call each would cost ten times as much. */

/* Number of the system call that the thread came into the kernel by; -1: by a fault or an interrupt. */
static __always_inline s64 syscall_of(struct pt_regs *regs) { return (s64)regs->orig_ax; }

static __always_inline u64 first_argument(struct pt_regs *regs) { return regs->di; }

static __always_inline u64 stack_pointer(struct pt_regs *regs) { return regs->sp; }

static __always_inline u64 instruction_pointer(struct pt_regs *regs) { return regs->ip; }

static __always_inline void read_arguments(struct pt_regs *regs, u64 *args)
{
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

/* LS_REGISTERS of them. */
static __always_inline void read_register_file(struct pt_regs *regs, u64 *out)
{
	out[0] = regs->ax;
	out[1] = regs->dx;
	out[2] = regs->cx;
	out[3] = regs->bx;
	out[4] = regs->si;
	out[5] = regs->di;
	out[6] = regs->bp;
	out[LS_REGISTER_SP] = regs->sp;
	out[8] = regs->r8;
	out[9] = regs->r9;
	out[10] = regs->r10;
	out[11] = regs->r11;
	out[12] = regs->r12;
	out[13] = regs->r13;
	out[14] = regs->r14;
	out[15] = regs->r15;
	out[LS_REGISTER_IP] = regs->ip;
}

/* What glibc keeps of a thread, struct pthread.tid (nptl/descr.h; at 720 from 2.11 to 2.42). Its control block names itself twice
 * (tcbhead_t.tcb and .self, sysdeps/x86_64/nptl/tls.h), those of other C libraries do not. 0: not glibc's, or not to be read. */
static __always_inline u32 tid_of_control_block(u64 thread_pointer)
{
	u64 head[3] = {};
	u32 tid = 0;

	if (bpf_probe_read_user(head, sizeof(head), (void *)thread_pointer) || head[0] != thread_pointer || head[2] != thread_pointer)
		return 0;
	bpf_probe_read_user(&tid, sizeof(tid), (void *)(thread_pointer + 720));
	return tid;
}

#endif
