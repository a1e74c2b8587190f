// SPDX-License-Identifier: Apache-2.0
#include "model/stack.h"

#include <utility>

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Stack);

Stack::Stack(std::vector<SourceFrame> python_frames, std::vector<SourceFrame> javascript_frames,
             std::vector<NativeFrame> native_frames, std::vector<KernelFrame> kernel_frames, bool truncated)
    : python(std::move(python_frames)), javascript(std::move(javascript_frames)), native(std::move(native_frames)),
      kernel(std::move(kernel_frames)), native_truncated(truncated) {}

} // namespace loopsnoop
