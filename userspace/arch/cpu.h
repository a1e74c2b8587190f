// SPDX-License-Identifier: Apache-2.0
// The CPU that this is built for: registers, system calls, ELF machine, names of kernel entries. Nothing else knows them.
#pragma once

#if defined(__x86_64__)
#include "arch/x86_64.h"
#else
#error "no file in userspace/arch for this CPU"
#endif
