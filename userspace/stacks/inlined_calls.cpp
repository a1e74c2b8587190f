// SPDX-License-Identifier: Apache-2.0
#include "stacks/inlined_calls.h"

#include <dwarf.h>

#include <algorithm>

#include "elf/work_limit.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::uint64_t max_section_bytes = 512ULL * 1024 * 1024; // of .debug_info, which is read in pieces
constexpr std::size_t max_units = 64ULL * 1024;
constexpr std::size_t max_unit_ranges = 256ULL * 1024;
constexpr std::size_t max_entries = 1'000'000;
constexpr std::size_t max_functions = 64ULL * 1024; // of one unit
constexpr std::size_t max_indexed_units = 32;
constexpr std::uint64_t max_open_bytes = 4ULL * 1024 * 1024;
constexpr std::size_t max_inlined = 64;
constexpr int max_references = 16;

bool holds_functions(std::uint64_t tag) {
	return tag == DW_TAG_compile_unit || tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type || tag == DW_TAG_module;
}

bool is_scope(std::uint64_t tag) {
	return tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

} // namespace

std::unique_ptr<InlinedCalls> InlinedCalls::open(const std::shared_ptr<const elf::Image> &image) {
	std::unique_ptr<InlinedCalls> calls(new InlinedCalls(image)); // NOLINT(cppcoreguidelines-owning-memory): private
	if (calls->sections_.info.empty() || calls->sections_.abbreviations.empty() ||
	    calls->sections_.info.size() > max_section_bytes) {
		return nullptr;
	}
	calls->index_units();
	return calls->ranges_.empty() ? nullptr : std::move(calls);
}

void InlinedCalls::index_units() {
	for (std::uint64_t at = 0; at < sections_.info.size() && units_.size() < max_units && ranges_.size() < max_unit_ranges &&
	                           !elf::WorkLimit::used_up();) {
		const auto header = DwarfUnit::header_at(sections_, at);
		if (!header || header->end <= at) {
			break;
		}
		const auto number = static_cast<std::uint32_t>(units_.size());
		units_.push_back(*header);
		at = header->end;
		const auto head = DwarfUnit::open(sections_, *header, false);
		if (!head || head->own_entry().tag == DW_TAG_partial_unit) {
			continue;
		}
		for (const CodeRange &range : head->ranges_of(head->own_entry())) {
			ranges_.push_back({range, number});
		}
	}
	std::sort(ranges_.begin(), ranges_.end(), [](const UnitRange &a, const UnitRange &b) { return a.range.low < b.range.low; });
}

std::optional<std::uint32_t> InlinedCalls::unit_of_address(std::uint64_t address) const {
	auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
	                              [](std::uint64_t wanted, const UnitRange &one) { return wanted < one.range.low; });
	// Units do not overlap where nothing is wrong; a few steps back find one that a broken neighbour begins in.
	for (int i = 0; i < 4 && after != ranges_.begin(); ++i) {
		--after;
		if (after->range.holds(address)) {
			return after->unit;
		}
	}
	return std::nullopt;
}

std::optional<std::uint32_t> InlinedCalls::unit_of_entry(std::uint64_t at) const {
	const auto after =
	    std::upper_bound(units_.begin(), units_.end(), at,
	                     [](std::uint64_t wanted, const DwarfUnit::Header &header) { return wanted < header.begin; });
	if (after == units_.begin() || at >= std::prev(after)->end) {
		return std::nullopt;
	}
	return static_cast<std::uint32_t>(std::prev(after) - units_.begin());
}

std::shared_ptr<const DwarfUnit> InlinedCalls::unit(std::uint32_t number) {
	if (const auto known = open_.find(number); known != open_.end()) {
		return known->second;
	}
	auto opened = DwarfUnit::open(sections_, units_[number], true);
	std::uint64_t sum = opened ? opened->bytes() : 0;
	for (const auto &[other, one] : open_) {
		sum += one ? one->bytes() : 0;
	}
	if (sum > max_open_bytes) {
		open_.clear();
	}
	open_[number] = opened;
	return opened;
}

const std::vector<InlinedCalls::Function> *InlinedCalls::functions(std::uint32_t number) {
	if (const auto known = functions_.find(number); known != functions_.end()) {
		return &known->second;
	}
	const auto in = unit(number);
	if (!in) {
		return nullptr;
	}
	if (functions_.size() >= max_indexed_units) {
		functions_.clear();
	}
	std::vector<Function> found;
	std::uint64_t at = in->header().first_entry;
	for (std::size_t i = 0;
	     i < max_entries && at < in->header().end && found.size() < max_functions && !elf::WorkLimit::used_up_by_step(); ++i) {
		const auto entry = in->entry(at);
		if (!entry) {
			break;
		}
		if (entry->tag == DW_TAG_subprogram) {
			for (const CodeRange &range : in->ranges_of(*entry)) {
				found.push_back({range, entry->at});
			}
		}
		// Past all that is inside it, where it says how far that goes.
		at = entry->sibling != 0 && !holds_functions(entry->tag) ? entry->sibling : entry->next;
	}
	found.shrink_to_fit();
	return &functions_.emplace(number, std::move(found)).first->second;
}

std::vector<DebugEntry> InlinedCalls::inlined_in(const DwarfUnit &unit, const DebugEntry &function, std::uint64_t address) const {
	std::vector<DebugEntry> chain; // outermost first
	if (!function.has_children) {
		return chain;
	}
	std::uint64_t at = function.next;
	std::size_t depth = 1; // of open lists of children
	// Entries below this depth are inside something that does not hold the address, and had no sibling to jump to.
	std::size_t skipping_from = 0;
	for (std::size_t i = 0; i < max_entries && depth > 0 && chain.size() < max_inlined && !elf::WorkLimit::used_up_by_step();
	     ++i) {
		const auto entry = unit.entry(at);
		if (!entry) {
			break;
		}
		at = entry->next;
		if (entry->tag == 0) {
			--depth;
			skipping_from = depth <= skipping_from ? 0 : skipping_from;
			continue;
		}
		const bool counts = skipping_from == 0;
		const bool inlined = entry->tag == DW_TAG_inlined_subroutine;
		const bool has_place = entry->ranges.kind != DwarfValue::Kind::none || entry->low.kind != DwarfValue::Kind::none;
		const bool inside = counts && has_place && unit.covers(*entry, address);
		if (inlined && inside) {
			chain.push_back(*entry);
		}
		if (!entry->has_children) {
			continue;
		}
		// What is inlined lies in blocks and in other inlined functions; a block without a place of its own is searched.
		const bool enter = counts && (inside || (entry->tag == DW_TAG_lexical_block && !has_place));
		if (!enter && entry->sibling != 0) {
			at = entry->sibling;
			continue;
		}
		if (!enter && skipping_from == 0) {
			skipping_from = depth;
		}
		++depth;
	}
	return chain;
}

// The namespaces and classes around an entry, "Outer::Inner::": what has a linkage name does not need it.
std::string InlinedCalls::scope_of(const DwarfUnit &unit, std::uint64_t wanted) const {
	std::vector<std::string> around;
	std::uint64_t at = unit.header().first_entry;
	for (std::size_t i = 0; i < max_entries && at < wanted && !elf::WorkLimit::used_up_by_step(); ++i) {
		const auto entry = unit.entry(at);
		if (!entry) {
			break;
		}
		at = entry->next;
		if (entry->tag == 0 && !around.empty()) {
			around.pop_back();
		} else if (entry->has_children) {
			if (entry->sibling != 0 && entry->sibling <= wanted) {
				at = entry->sibling;
				continue;
			}
			std::string name = is_scope(entry->tag) ? unit.text(entry->name) : std::string();
			if (entry->tag == DW_TAG_namespace && name.empty()) {
				name = "(anonymous namespace)";
			}
			around.push_back(std::move(name));
		}
	}
	std::string scope;
	for (const std::string &name : around) {
		scope += name.empty() ? "" : name + "::";
	}
	return at == wanted ? scope : std::string();
}

std::string InlinedCalls::name_of(std::uint32_t number, DebugEntry entry) {
	std::string plain;
	std::uint64_t last = 0;
	std::shared_ptr<const DwarfUnit> last_unit;
	for (int i = 0; i < max_references; ++i) {
		const auto in = unit(number);
		if (!in) {
			break;
		}
		if (std::string linkage = in->text(entry.linkage_name); !linkage.empty()) {
			return linkage;
		}
		if (plain.empty()) {
			plain = in->text(entry.name);
		}
		last = entry.at;
		last_unit = in;
		const auto next =
		    entry.origin.kind != DwarfValue::Kind::none ? in->reference(entry.origin) : in->reference(entry.specification);
		const auto next_unit = next ? unit_of_entry(*next) : std::nullopt;
		const auto target = next_unit ? unit(*next_unit) : nullptr;
		const auto next_entry = target ? target->entry(*next) : std::nullopt;
		if (!next_entry) {
			break;
		}
		number = *next_unit;
		entry = *next_entry;
	}
	// The declaration, which all others lead to, is the one inside its class.
	return plain.empty() || !last_unit ? plain : scope_of(*last_unit, last) + plain;
}

std::optional<InlinedStack> InlinedCalls::find(std::uint64_t address) {
	const auto number = unit_of_address(address);
	if (!number) {
		return std::nullopt;
	}
	InlinedStack stack;
	const auto *const indexed = functions(*number);
	if (indexed == nullptr) {
		const auto head = DwarfUnit::open(sections_, units_[*number], false);
		stack.source = head ? head->text(head->own_entry().name) : std::string();
		stack.line_unit = head ? head->own_entry().statements.value : 0;
		stack.known = false;
		return stack;
	}
	const Function *best = nullptr; // the narrowest: functions nest in some languages
	for (const Function &function : *indexed) {
		if (function.range.holds(address) &&
		    (best == nullptr || function.range.high - function.range.low < best->range.high - best->range.low)) {
			best = &function;
		}
	}
	const auto in = best != nullptr ? unit(*number) : nullptr;
	const auto function = in ? in->entry(best->entry) : std::nullopt;
	if (!function) {
		const auto whole = unit(*number);
		stack.source = whole ? whole->text(whole->own_entry().name) : std::string();
		stack.line_unit = whole ? whole->own_entry().statements.value : 0;
		stack.known = false; // an index that ended early, or code that has no entry: assembly
		return stack;
	}
	stack.line_unit = in->own_entry().statements.value;
	stack.outermost = name_of(*number, *function);
	const auto chain = inlined_in(*in, *function, address);
	for (auto entry = chain.rbegin(); entry != chain.rend(); ++entry) {
		stack.calls.push_back({name_of(*number, *entry), entry->call_file, entry->call_line});
	}
	return stack;
}

std::uint64_t InlinedCalls::bytes() const {
	std::uint64_t sum =
	    sections_.unpacked_bytes() + units_.capacity() * sizeof(DwarfUnit::Header) + ranges_.capacity() * sizeof(UnitRange);
	for (const auto &[number, indexed] : functions_) {
		sum += indexed.capacity() * sizeof(Function);
	}
	for (const auto &[number, one] : open_) {
		sum += one ? one->bytes() : 0;
	}
	return sum;
}

} // namespace loopsnoop::stacks
