// SPDX-License-Identifier: Apache-2.0
// Code that keeps a frame pointer and that no call-frame information describes, as JIT compilers make it.
	.text
	.globl bare_call
	.type bare_call, @function
bare_call:
	push %rbp
	mov %rsp, %rbp
	sub $64, %rsp
	call *%rdi
	mov %rbp, %rsp
	pop %rbp
	ret
	.size bare_call, .-bare_call
	.section .note.GNU-stack,"",@progbits
