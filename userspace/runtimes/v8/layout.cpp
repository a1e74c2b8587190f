// SPDX-License-Identifier: Apache-2.0
#include "runtimes/v8/layout.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "elf/find_symbols.h"

namespace loopsnoop::runtimes::v8 {

namespace {

struct Constant {
	std::string_view name; // without v8dbg_
	std::int32_t Layout::*where;
};

// What a field is declared as is a part of its constant's name, and changes: several names may lead to one place.
constexpr std::array constants{
    Constant{"off_fp_function", &Layout::fp_function},
    Constant{"off_fp_context_or_frame_type", &Layout::fp_context},
    Constant{"class_Map__instance_type__uint16_t", &Layout::map_instance_type},
    Constant{"class_JSFunction__shared__SharedFunctionInfo", &Layout::function_shared},
    Constant{"class_SharedFunctionInfo__name_or_scope_info__Object", &Layout::shared_name},
    Constant{"class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_", &Layout::shared_name},
    Constant{"class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_", &Layout::shared_name}, // Node 22
    Constant{"class_SharedFunctionInfo__script_or_debug_info__HeapObject", &Layout::shared_script},
    Constant{"class_SharedFunctionInfo__script_or_debug_info__Object", &Layout::shared_script},
    Constant{"class_SharedFunctionInfo__script__HeapObject", &Layout::shared_script},
    Constant{"class_SharedFunctionInfo__script__Tagged_HeapObject_", &Layout::shared_script},
    Constant{"class_Script__name__Object", &Layout::script_name},
    Constant{"class_Script__source__Object", &Layout::script_source},
    Constant{"class_String__length__int32_t", &Layout::string_length},
    Constant{"class_SeqOneByteString__chars__char", &Layout::one_byte_chars},
    Constant{"class_SeqTwoByteString__chars__char", &Layout::two_byte_chars},
    Constant{"class_ConsString__first__String", &Layout::cons_first},
    Constant{"class_ConsString__second__String", &Layout::cons_second},
    Constant{"class_ThinString__actual__String", &Layout::thin_actual},
    Constant{"class_SlicedString__parent__String", &Layout::sliced_parent},
    Constant{"class_SlicedString__offset__SMI", &Layout::sliced_offset},
    Constant{"class_ExternalString__resource__Object", &Layout::external_resource},
    Constant{"scopeinfo_idx_ncontextlocals", &Layout::scope_locals},
    Constant{"scopeinfo_idx_first_vars", &Layout::scope_first},
    Constant{"type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE", &Layout::shared_type},
    Constant{"type_Script__SCRIPT_TYPE", &Layout::script_type},
    Constant{"type_ScopeInfo__SCOPE_INFO_TYPE", &Layout::scope_type},
    Constant{"IsNotStringMask", &Layout::not_string_mask},
    Constant{"StringEncodingMask", &Layout::encoding_mask},
    Constant{"OneByteStringTag", &Layout::one_byte_tag},
    Constant{"StringRepresentationMask", &Layout::representation_mask},
    Constant{"ConsStringTag", &Layout::cons_tag},
    Constant{"ExternalStringTag", &Layout::external_tag},
    Constant{"SlicedStringTag", &Layout::sliced_tag},
    Constant{"ThinStringTag", &Layout::thin_tag},
};

// Whole pointers, small integers in the upper half of a word: what the reading of objects here takes for granted.
constexpr std::string_view smi_shift = "v8dbg_SmiShiftSize";
constexpr std::int32_t smi_shift_of_whole_pointers = 31;

} // namespace

bool is_plausible(const Layout &layout) {
	constexpr std::int32_t bound = 1 << 16;
	return std::all_of(constants.begin(), constants.end(), [&](const Constant &constant) {
		const std::int32_t value = layout.*constant.where;
		return value > -bound && value < bound;
	});
}

std::optional<Layout> read_layout(const elf::Image &image, std::uint64_t bias, const process::Memory &memory) {
	std::vector<std::string> names;
	names.reserve(constants.size());
	for (const Constant &constant : constants) {
		names.push_back("v8dbg_" + std::string(constant.name));
	}
	std::vector<std::string_view> wanted(names.begin(), names.end());
	wanted.push_back(smi_shift);
	const std::vector<std::uint64_t> symbols = elf::find_symbols(image, wanted, elf::Tables::dynamic);
	const auto value = [&](std::uint64_t symbol) {
		return symbol != 0 ? memory.read_value<std::int32_t>(bias + symbol) : std::nullopt;
	};
	if (value(symbols.back()) != smi_shift_of_whole_pointers) {
		return std::nullopt;
	}
	Layout layout;
	std::vector<std::int32_t Layout::*> missing;
	for (std::size_t i = 0; i < constants.size(); i++) {
		const auto found = value(symbols[i]);
		if (found) {
			layout.*constants.at(i).where = *found;
			std::erase(missing, constants.at(i).where);
		} else if (i == 0 || constants.at(i).where != constants.at(i - 1).where) {
			missing.push_back(constants.at(i).where);
		}
	}
	return missing.empty() && is_plausible(layout) ? std::optional(layout) : std::nullopt;
}

} // namespace loopsnoop::runtimes::v8
