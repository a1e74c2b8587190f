// SPDX-License-Identifier: Apache-2.0
#include "collector/encode.h"

#include <utility>

namespace loopsnoop::collector {

ls_target encode_target(const FollowRequest &request) {
	ls_target target{};
	for (const auto &[wanted, flag] : {std::pair{request.children, LS_TARGET_CHILDREN},
	                                   {request.found, LS_TARGET_FOUND},
	                                   {request.server, LS_TARGET_SERVER}}) {
		target.flags |= wanted ? static_cast<std::uint32_t>(flag) : 0U;
	}
	target.forced_tid = request.forced_tid.value_or(0);
	return target;
}

void encode_python(const PythonLayout &layout, std::uint64_t tstate, ls_slot_config &config) {
	config.tstate = tstate;
	config.gil_begin = layout.gil_begin;
	config.gil_end = layout.gil_end;
	config.gil_locked = layout.gil_locked;
	config.gil_last_holder = layout.gil_last_holder;
	config.tstate_native_id = layout.tstate_native_id;
	config.threads_head = layout.threads_head;
	config.tstate_next = layout.tstate_next;
	config.tstate_thread_id = layout.tstate_thread_id;
	config.tstate_frame = layout.tstate_frame;
	config.cframe_current_frame = layout.cframe_current_frame;
	config.frame_back = layout.frame_back;
	config.frame_code = layout.frame_code;
	config.frame_instruction = layout.frame_instruction;
	config.frame_owner = layout.frame_owner;
	config.has_owner = layout.has_owner ? 1 : 0;
	config.owner_c_stack = layout.owner_c_stack;
	config.through_cframe = layout.through_cframe ? 1 : 0;
	config.instruction_is_index = layout.instruction_is_index ? 1 : 0;
	config.pointer_mask = layout.pointer_mask;
	config.python = 1;
}

} // namespace loopsnoop::collector
