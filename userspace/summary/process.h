// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "model/process_name.h"

namespace loopsnoop::summary {

// A process as people call it, printable: "python -m uvicorn shop:app", "gunicorn: worker [shop]"; its comm where nothing better
// is known.
[[nodiscard]] std::string format_process(const ProcessName &name, std::string_view comm);

} // namespace loopsnoop::summary
