/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The CPU that this is built for. BPF objects learn it from -D__TARGET_ARCH_…, as libbpf's headers do. */
#pragma once

#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)
#include "x86_64.h"
#else
#error "no file in bpf/arch for this CPU"
#endif
