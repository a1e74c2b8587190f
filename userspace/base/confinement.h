// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace loopsnoop {

// What this process, with all its threads and the children that it makes from now on, never does whatever bytes it is given to
// read: it runs no other program, gains no privilege by one (no_new_privs), and a seccomp filter refuses (EPERM) the system calls
// that change other processes, mounts, modules, clocks, users and keys, and memory that can be written and run. loopsnoop runs as
// root over processes that may be hostile; the unit of the service has the same by systemd. A child that was forked before is
// not touched. The Error: the kernel has no seccomp (CONFIG_SECCOMP_FILTER).
[[nodiscard]] Result<void> confine();

// Empties the capability bounding set and makes root one user among others (SECBIT_NOROOT), so that no program run later could
// regain what is given up. To be called before keep_capabilities(), which takes CAP_SETPCAP away; without that it does nothing.
void drop_bounding_set();

} // namespace loopsnoop
