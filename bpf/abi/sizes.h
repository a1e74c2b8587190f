/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes both sides agree on. */
#pragma once

#define LS_KERNEL_FRAMES 32
#define LS_PYTHON_FRAMES 96
#define LS_FDS 4          /* descriptors of one poll call that are read */
#define LS_PATH_BYTES 512 /* components of a path, innermost first, each ended by NUL */
#define LS_ARG_PATH_BYTES 256
#define LS_COMM_BYTES 16
#define LS_WRITES 8 /* files a process opened for writing last; a power of two */
#define LS_WRITE_PATH_BYTES 240
#define LS_HISTOGRAM 32 /* bucket i counts times below 2^i microseconds, the last one all others */
#define LS_STACK_BYTES_MAX 65536
#define LS_PAGE_BYTES 4096
#define LS_SLOTS_MAX 4096 /* loop threads followed at once: as many as a search for a free slot goes through */
#define LS_SYSCALLS 512   /* numbers at and above are `other` */

/* An iteration is suspicious from that part of the threshold on: it is sampled, and who holds the GIL is asked. */
#define LS_SUSPICIOUS_SHARE 4
