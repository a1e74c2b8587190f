// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspect/programs.h"
#include "model/dump.h"

namespace loopsnoop::inspect {

// Gives the threads of a dump that ran, and so have no stack, the Python frames in which they were found most often in some
// milliseconds of looking at their memory. Threads without Python code stay without. A frame may be of one moment and the next of
// another: what counts is a stack that was seen several times, or once where none was.
void sample_running(Programs &programs, Dump &dump);

} // namespace loopsnoop::inspect
