// SPDX-License-Identifier: Apache-2.0
#include "summary/gil.h"

#include <fmt/format.h>

#include "analysis/gil_holders.h"
#include "model/application.h"
#include "summary/place.h"

namespace loopsnoop::summary {

std::string format_gil_holder(const Stall &stall) {
	if (!stall.gil) {
		return {};
	}
	const analysis::MainGilHolder main = analysis::main_gil_holder(stall.gil->holders);
	if (main.heaviest == nullptr) {
		return {};
	}
	const GilHolding &holder = *main.heaviest;
	std::string text = fmt::format("held {}by thread {}(tid {})", main.nearly_alone ? "" : "mostly ",
	                               holder.thread.empty() ? "" : holder.thread + " ", holder.tid);
	const SourceFrame *frame = innermost_application_frame(holder.stack.python);
	if (frame == nullptr && !holder.stack.python.empty()) {
		frame = &holder.stack.python.front();
	}
	if (frame != nullptr) {
		text += " in " + format_source(*frame);
	}
	return text;
}

} // namespace loopsnoop::summary
