// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "output/text_options.h"

namespace loopsnoop::output {

// Colour, status line and width as the terminal behind `fd` takes them. Not a terminal, or TERM=dumb: no escape sequence at
// all; NO_COLOR (no-color.org) set and not empty: no colour.
[[nodiscard]] TextOptions text_options_for(int fd);

} // namespace loopsnoop::output
