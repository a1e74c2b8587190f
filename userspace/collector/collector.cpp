// SPDX-License-Identifier: Apache-2.0
#include "collector/collector.h"

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/unique_fd.h"
#include "collector/attach.h"
#include "collector/decode.h"
#include "collector/libbpf_log.h"
#include "collector/mapped_table.h"
#include "collector/pid_level.h"
#include "collector/samplers.h"
#include "collector/syscall_shapes.h"

namespace loopsnoop::collector {

namespace {

// Waits shorter than a twentieth of the threshold explain nothing alone; never more than 5 ms, so that pieces of long stalls
// show.
constexpr std::uint64_t floor_share = 20;
constexpr std::uint64_t floor_max_ns = 5'000'000;
constexpr std::uint64_t floor_min_ns = 20'000;
// A capture costs some microseconds: this bounds them to well below a hundredth of a core.
constexpr std::uint32_t ns_per_capture = 1'000'000;
constexpr std::uint32_t capture_burst = 500;
// Loops that stall all at once, as on one disk or lock, send one short stack each at once.
constexpr std::uint32_t least_ring_bytes = 4U << 20;
constexpr std::uint32_t ring_bytes_a_loop = 8U << 10;
// An iteration is suspicious from that part of the threshold on; the kernel side has the same.
constexpr std::uint64_t suspicious_share = 4;

// Copies something the kernel writes meanwhile; nullopt when it moved during each of a few tries.
template <typename T> std::optional<T> consistent_copy(const std::byte *from) {
	static_assert(std::is_trivially_copyable_v<T>);
	const auto *changes = reinterpret_cast<const std::uint64_t *>(from);
	for (int i = 0; i < 8; i++) {
		const std::uint64_t before = __atomic_load_n(changes, __ATOMIC_ACQUIRE);
		T value{};
		std::memcpy(&value, from, sizeof(T));
		std::atomic_thread_fence(std::memory_order_acquire);
		if (before % 2 == 0 && __atomic_load_n(changes, __ATOMIC_RELAXED) == before) {
			return value;
		}
	}
	return std::nullopt;
}

// What an iterator program writes, one whole T after the other.
template <typename T, typename See> void read_iterator(bpf_link *link, const See &see) {
	const UniqueFd iterator(bpf_iter_create(bpf_link__fd(link)));
	if (!iterator.valid()) {
		return;
	}
	std::vector<std::byte> buffer;
	std::array<std::byte, 65536> piece{};
	for (;;) {
		const ssize_t n = read(iterator.get(), piece.data(), piece.size());
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			continue;
		}
		if (n <= 0) {
			return;
		}
		buffer.insert(buffer.end(), piece.begin(), piece.begin() + n);
		std::size_t used = 0;
		for (; used + sizeof(T) <= buffer.size(); used += sizeof(T)) {
			T wire{};
			std::memcpy(&wire, buffer.data() + used, sizeof(wire));
			see(wire);
		}
		buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(used));
	}
}

class KernelSide final : public Collector {
public:
	KernelSide(CollectorOptions options, TracepointPlan plan) : options_(std::move(options)), plan_(std::move(plan)) {}
	~KernelSide() override { detach(attachments_.links); }
	KernelSide(const KernelSide &) = delete;
	KernelSide &operator=(const KernelSide &) = delete;
	KernelSide(KernelSide &&) = delete;
	KernelSide &operator=(KernelSide &&) = delete;

	Result<void> load();
	Result<void> attach();

	[[nodiscard]] const std::vector<std::string> &missing() const override { return attachments_.missing; }
	Result<void> follow(const FollowRequest &request) override;
	void accept_weak_loops(std::uint32_t pid) override;
	void drain(std::chrono::milliseconds timeout, const std::function<void(Event &&)> &sink) override;
	[[nodiscard]] int poll_fd() const override { return ring_buffer__epoll_fd(ring_.get()); }
	void follow_all(const std::vector<FollowRequest> &requests) override;
	[[nodiscard]] std::vector<Stranger> census() override;
	void is_pool(std::uint32_t pid) override;
	[[nodiscard]] std::vector<LoopState> loops() const override;
	[[nodiscard]] std::vector<LoopState> busy_loops() const override;
	[[nodiscard]] std::optional<LoopState> loop(LoopKey key) const override;
	[[nodiscard]] std::optional<RawWait> current_wait(LoopKey key) const override;
	[[nodiscard]] std::vector<ThreadLook> look(std::uint32_t pid) override;
	void set_python(LoopKey key, const PythonLayout &layout, std::uint64_t tstate) override;
	void ignore(LoopKey key, bool ignored) override;
	void adopt_poll(std::uint32_t pid, std::uint32_t tid, bool several_descriptors) override;
	void force_loop(std::uint32_t pid, std::uint32_t tid) override;
	void sample(LoopKey key, std::uint32_t tid) override;
	[[nodiscard]] std::optional<Deeds> deeds(std::uint32_t pid) const override;
	[[nodiscard]] bool counts_accepts() const override { return options_.lives && !plan_.accept_exit.empty(); }
	void forget_deeds(std::uint32_t pid) override;
	[[nodiscard]] LossCounts losses() const override;

private:
	[[nodiscard]] std::optional<std::uint64_t> iteration_start(LoopKey key) const;
	[[nodiscard]] std::optional<LoopState> loop_in(std::size_t slot) const;
	[[nodiscard]] bool add_target(const FollowRequest &request);
	void walk(std::uint32_t pid, const std::function<void(const ls_look &)> &see);
	[[nodiscard]] ls_slot_config *config_for(LoopKey key);
	void change_target(std::uint32_t pid, const std::function<void(ls_target &)> &change);
	static int on_record(void *context, void *data, std::size_t size);

	CollectorOptions options_;
	TracepointPlan plan_;
	Skeleton skeleton_;
	// Destroyed before the skeleton: links first.
	MappedTable loops_, configs_;
	mutable std::vector<std::byte> capture_; // one element of the table of captures, as it was read last
	RingBuffer ring_;
	Attachments attachments_;
	Link iterator_;
	Link census_;
	std::optional<Samplers> samplers_; // none: switched off, or this kernel has none; reads loops_ from a thread of its own
	const std::function<void(Event &&)> *sink_ = nullptr;
	LossCounts dropped_{};
};

Result<void> KernelSide::load() {
	route_libbpf_log(options_.verbose);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	skeleton_.reset(loopsnoop_bpf__open());
	if (skeleton_ == nullptr) {
		return errno_error("open the BPF programs");
	}
	auto &knobs = skeleton_->rodata->knobs;
	knobs.threshold_ns = options_.threshold_ns;
	knobs.floor_ns = std::clamp(options_.threshold_ns / floor_share, floor_min_ns, floor_max_ns);
	knobs.stack_bytes = options_.stack_bytes;
	knobs.slots = options_.max_loops;
	knobs.pid_level = own_pid_level();
	knobs.token_ns = ns_per_capture;
	knobs.capture_burst = capture_burst;
	knobs.sample_period_ns = sample_period_ns;
	knobs.discover = options_.discover ? 1 : 0;
	const auto shapes = syscall_shapes();
	std::copy(shapes.begin(), shapes.end(), std::begin(skeleton_->rodata->shapes));

	const std::uint32_t capture_bytes = static_cast<std::uint32_t>(sizeof(ls_wait)) + options_.stack_bytes + LS_PAGE_BYTES;
	bpf_map__set_max_entries(skeleton_->maps.records,
	                         std::bit_ceil(std::max(least_ring_bytes, options_.max_loops * ring_bytes_a_loop)));
	bpf_map__set_max_entries(skeleton_->maps.loops, options_.max_loops);
	bpf_map__set_max_entries(skeleton_->maps.configs, options_.max_loops);
	bpf_map__set_max_entries(skeleton_->maps.captures, options_.max_loops);
	bpf_map__set_max_entries(skeleton_->maps.gil_waits, options_.max_loops);
	bpf_map__set_value_size(skeleton_->maps.captures, capture_bytes);
	bpf_map__set_value_size(skeleton_->maps.scratch, capture_bytes);
	bpf_map__set_max_entries(skeleton_->maps.scratch, static_cast<std::uint32_t>(std::max(libbpf_num_possible_cpus(), 1)));
	bpf_program__set_autoload(skeleton_->progs.census, options_.discover);
	bpf_program__set_autoload(skeleton_->progs.on_any_enter, !plan_.per_call);
	bpf_program__set_autoload(skeleton_->progs.on_any_exit, !plan_.per_call);
	if (!plan_.per_call) {
		bpf_program__set_autoload(skeleton_->progs.on_poll_enter, false);
		bpf_program__set_autoload(skeleton_->progs.on_poll_exit, false);
		bpf_program__set_autoload(skeleton_->progs.on_call_enter, false);
		bpf_program__set_autoload(skeleton_->progs.on_call_exit, false);
	}
	const bool hooked = options_.lives && !plan_.open_enter.empty();
	bpf_program__set_autoload(skeleton_->progs.on_open_enter, hooked);
	bpf_program__set_autoload(skeleton_->progs.on_rename_enter, hooked);
	bpf_program__set_autoload(skeleton_->progs.on_accept_exit, hooked);
	bpf_program__set_autoload(skeleton_->progs.on_signal, options_.lives);
	if (options_.look_only) {
		bpf_program *program = nullptr;
		bpf_object__for_each_program(program, skeleton_->obj) {
			bpf_program__set_autoload(program, program == skeleton_->progs.look);
		}
	}
	if (options_.verbose) {
		bpf_program *program = nullptr;
		bpf_object__for_each_program(program, skeleton_->obj) { bpf_program__set_log_level(program, 4); }
	}
	if (const int error = loopsnoop_bpf__load(skeleton_.get()); error != 0) {
		Error failure = make_error("load the BPF programs", last_libbpf_warning());
		failure.code = -error;
		if (geteuid() != 0 || error == -EPERM) {
			failure.advice = "run it as root: sudo loopsnoop …";
		} else if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
			failure.advice = "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF); `loopsnoop doctor` says what is needed";
		} else {
			failure.advice = "`loopsnoop doctor` says what this kernel lacks; -v shows the verifier's log";
		}
		return failure;
	}
	auto loops = MappedTable::map(bpf_map__fd(skeleton_->maps.loops), sizeof(ls_loop), options_.max_loops, false);
	auto configs = MappedTable::map(bpf_map__fd(skeleton_->maps.configs), sizeof(ls_slot_config), options_.max_loops, true);
	for (const auto *table : {&loops, &configs}) {
		if (!*table) {
			return table->error();
		}
	}
	loops_ = std::move(*loops);
	configs_ = std::move(*configs);
	// Not mapped: all of it would count as ours, and little of it is ever looked at.
	capture_.resize((capture_bytes + 7) / 8 * 8);
	ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.records), on_record, this, nullptr));
	if (ring_ == nullptr) {
		return errno_error("map the ring buffer");
	}
	return {};
}

Result<void> KernelSide::attach() {
	if (!options_.look_only) {
		auto attached = attach_programs(*skeleton_, plan_, options_.lives);
		if (!attached) {
			return attached.error();
		}
		attachments_ = std::move(*attached);
	}
	iterator_.reset(bpf_program__attach_iter(skeleton_->progs.look, nullptr));
	if (iterator_ == nullptr) {
		return errno_error("attach the task iterator");
	}
	if (options_.discover) {
		census_.reset(bpf_program__attach_iter(skeleton_->progs.census, nullptr));
		if (census_ == nullptr) {
			return errno_error("attach the task iterator");
		}
	}
	if (options_.without.contains("cpu-samples")) {
		attachments_.missing.emplace_back("stacks of iterations that compute: switched off by --without cpu-samples");
		return {};
	}
	if (const auto possible = Samplers::possible(); !possible) {
		attachments_.missing.push_back("stacks of iterations that compute: " + possible.error().describe());
		return {};
	}
	const std::uint64_t suspicious_ns = options_.threshold_ns / suspicious_share;
	samplers_.emplace(SamplersOptions{sample_period_ns, suspicious_ns < sample_period_ns ? 0 : suspicious_ns,
	                                  [this](LoopKey key) { return iteration_start(key); }, skeleton_->progs.on_sample,
	                                  skeleton_->progs.on_major_fault});
	return {};
}

Result<void> KernelSide::follow(const FollowRequest &request) {
	if (!add_target(request)) {
		return errno_error("follow the process", std::to_string(request.pid));
	}
	// Twice: a thread made while the first look went by is inherited only if its maker was followed by then.
	if (look(request.pid).empty()) {
		return make_error("follow the process", std::to_string(request.pid), "it has no threads any more");
	}
	(void)look(request.pid);
	return {};
}

bool KernelSide::add_target(const FollowRequest &request) {
	ls_target target{};
	for (const auto &[wanted, flag] : {std::pair{request.children, LS_TARGET_CHILDREN},
	                                   {request.found, LS_TARGET_FOUND},
	                                   {request.server, LS_TARGET_SERVER}}) {
		target.flags |= wanted ? static_cast<std::uint32_t>(flag) : 0U;
	}
	target.forced_tid = request.forced_tid.value_or(0);
	return bpf_map_update_elem(bpf_map__fd(skeleton_->maps.targets), &request.pid, &target, BPF_ANY) == 0;
}

void KernelSide::follow_all(const std::vector<FollowRequest> &requests) {
	for (const FollowRequest &request : requests) {
		if (!add_target(request)) {
			dropped_.at(static_cast<std::size_t>(Loss::no_slot))++;
		}
	}
	// Twice, as above. One of many is looked for alone: what the others do now is of no interest.
	for (int i = 0; i < 2 && !requests.empty(); i++) {
		walk(requests.size() == 1 ? requests.front().pid : 0, [](const ls_look &) {});
	}
}

std::vector<Stranger> KernelSide::census() {
	std::vector<Stranger> strangers;
	if (census_ != nullptr) {
		read_iterator<ls_census>(census_.get(), [&](const ls_census &entry) { strangers.push_back(decode_census(entry)); });
	}
	return strangers;
}

void KernelSide::is_pool(std::uint32_t pid) {
	change_target(pid, [](ls_target &target) { target.flags |= LS_TARGET_POOL; });
}

void KernelSide::accept_weak_loops(std::uint32_t pid) {
	change_target(pid, [](ls_target &target) { target.flags |= LS_TARGET_WEAK; });
}

void KernelSide::change_target(std::uint32_t pid, const std::function<void(ls_target &)> &change) {
	ls_target target{};
	const int map = bpf_map__fd(skeleton_->maps.targets);
	if (bpf_map_lookup_elem(map, &pid, &target) == 0) {
		change(target);
		bpf_map_update_elem(map, &pid, &target, BPF_EXIST);
	}
}

int KernelSide::on_record(void *context, void *data, std::size_t size) {
	auto *self = static_cast<KernelSide *>(context);
	auto event = decode_record({static_cast<const std::byte *>(data), size});
	if (event) {
		(*self->sink_)(std::move(*event));
	}
	return 0;
}

void KernelSide::drain(std::chrono::milliseconds timeout, const std::function<void(Event &&)> &sink) {
	sink_ = &sink;
	if (timeout.count() > 0) {
		ring_buffer__poll(ring_.get(), static_cast<int>(timeout.count()));
	}
	ring_buffer__consume(ring_.get());
	sink_ = nullptr;
}

std::optional<LoopState> KernelSide::loop_in(std::size_t slot) const {
	const auto *loop = reinterpret_cast<const ls_loop *>(loops_.at(slot));
	if (loop->in_use == 0) {
		return std::nullopt;
	}
	// A loop that runs flat out changes all the time; the copy is taken as it is then, and `changes` odd says so.
	ls_loop copy{};
	if (auto consistent = consistent_copy<ls_loop>(loops_.at(slot))) {
		copy = *consistent;
	} else {
		std::memcpy(&copy, loop, sizeof(copy));
		copy.changes |= 1;
	}
	if (copy.tid == 0) {
		return std::nullopt;
	}
	return decode_loop(copy, static_cast<std::uint32_t>(slot));
}

std::vector<LoopState> KernelSide::loops() const {
	std::vector<LoopState> states;
	for (std::size_t slot = 0; slot < loops_.count(); slot++) {
		if (auto state = loop_in(slot)) {
			states.push_back(*state);
		}
	}
	return states;
}

std::vector<LoopState> KernelSide::busy_loops() const {
	std::vector<LoopState> states;
	for (std::size_t slot = 0; slot < loops_.count(); slot++) {
		// Read while it changes: one that is missed now is there at the next look.
		const auto *loop = reinterpret_cast<const volatile ls_loop *>(loops_.at(slot));
		if (loop->in_use == 0 || (loop->iteration_ns == 0 && loop->wake_ns == 0 && loop->rank != LS_RANK_NONE)) {
			continue;
		}
		if (auto state = loop_in(slot)) {
			states.push_back(*state);
		}
	}
	return states;
}

std::optional<LoopState> KernelSide::loop(LoopKey key) const {
	const auto state = key.slot < loops_.count() ? loop_in(key.slot) : std::nullopt;
	return state && state->key == key ? state : std::nullopt;
}

std::optional<std::uint64_t> KernelSide::iteration_start(LoopKey key) const {
	const auto *loop = reinterpret_cast<const ls_loop *>(loops_.at(key.slot));
	const std::uint64_t start = __atomic_load_n(&loop->iteration_ns, __ATOMIC_ACQUIRE);
	return loop->in_use != 0 && loop->generation == key.generation ? std::optional(start) : std::nullopt;
}

std::optional<RawWait> KernelSide::current_wait(LoopKey key) const {
	if (key.slot >= loops_.count()) {
		return std::nullopt;
	}
	const auto before = consistent_copy<ls_loop>(loops_.at(key.slot));
	if (!before || before->generation != key.generation || before->group == 0) {
		return std::nullopt;
	}
	if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.captures), &key.slot, capture_.data()) != 0) {
		return std::nullopt;
	}
	const auto &wire = *reinterpret_cast<const ls_wait *>(capture_.data());
	const std::size_t bytes = std::min<std::size_t>(wire.stack_bytes, options_.stack_bytes + LS_PAGE_BYTES);
	RawWait wait = decode_wait(wire, std::span(capture_).subspan(sizeof(ls_wait), bytes));
	const auto after = consistent_copy<ls_loop>(loops_.at(key.slot));
	if (!after || after->changes != before->changes) {
		return std::nullopt;
	}
	return wait;
}

void KernelSide::walk(std::uint32_t pid, const std::function<void(const ls_look &)> &see) {
	// The others cost a comparison each; and with hundreds of followed processes, their threads' stacks are not taken.
	skeleton_->bss->wanted_process = pid;
	read_iterator<ls_look>(iterator_.get(), see);
}

std::vector<ThreadLook> KernelSide::look(std::uint32_t pid) {
	std::vector<ThreadLook> looks;
	walk(pid, [&](const ls_look &wire) { looks.push_back(decode_look(wire)); });
	return looks;
}

ls_slot_config *KernelSide::config_for(LoopKey key) {
	if (key.slot >= configs_.count()) {
		return nullptr;
	}
	auto *config = reinterpret_cast<ls_slot_config *>(configs_.at(key.slot));
	if (config->generation != key.generation) {
		*config = {};
	}
	return config;
}

void KernelSide::set_python(LoopKey key, const PythonLayout &layout, std::uint64_t tstate) {
	ls_slot_config *config = config_for(key);
	if (config == nullptr) {
		return;
	}
	// The generation goes last: the kernel takes nothing of it before.
	__atomic_store_n(&config->generation, 0, __ATOMIC_RELEASE);
	config->tstate = tstate;
	config->gil_begin = layout.gil_begin;
	config->gil_end = layout.gil_end;
	config->gil_locked = layout.gil_locked;
	config->gil_last_holder = layout.gil_last_holder;
	config->tstate_native_id = layout.tstate_native_id;
	config->threads_head = layout.threads_head;
	config->tstate_next = layout.tstate_next;
	config->tstate_thread_id = layout.tstate_thread_id;
	config->tstate_frame = layout.tstate_frame;
	config->cframe_current_frame = layout.cframe_current_frame;
	config->frame_back = layout.frame_back;
	config->frame_code = layout.frame_code;
	config->frame_instruction = layout.frame_instruction;
	config->frame_owner = layout.frame_owner;
	config->has_owner = layout.has_owner ? 1 : 0;
	config->owner_c_stack = layout.owner_c_stack;
	config->through_cframe = layout.through_cframe ? 1 : 0;
	config->instruction_is_index = layout.instruction_is_index ? 1 : 0;
	config->pointer_mask = layout.pointer_mask;
	config->python = 1;
	__atomic_store_n(&config->generation, key.generation, __ATOMIC_RELEASE);
}

void KernelSide::adopt_poll(std::uint32_t pid, std::uint32_t tid, bool several_descriptors) {
	change_target(pid, [&](ls_target &target) {
		target.adopt_tid = tid;
		target.adopt_rank = several_descriptors ? LS_RANK_MANY : LS_RANK_FEW;
	});
	(void)look(pid);
	change_target(pid, [](ls_target &target) { target.adopt_tid = 0; });
}

void KernelSide::force_loop(std::uint32_t pid, std::uint32_t tid) {
	std::uint32_t forced_before = 0;
	change_target(pid, [&](ls_target &target) { forced_before = std::exchange(target.forced_tid, tid); });
	(void)look(pid);
	change_target(pid, [&](ls_target &target) { target.forced_tid = forced_before; });
}

void KernelSide::ignore(LoopKey key, bool ignored) {
	if (ls_slot_config *config = config_for(key)) {
		config->ignore = ignored ? 1 : 0;
		__atomic_store_n(&config->generation, key.generation, __ATOMIC_RELEASE);
		if (samplers_) {
			samplers_->ignore(key, ignored);
		}
	}
}

void KernelSide::sample(LoopKey key, std::uint32_t tid) {
	if (samplers_) {
		samplers_->add(key, tid);
	}
}

std::optional<Deeds> KernelSide::deeds(std::uint32_t pid) const {
	ls_deeds wire{};
	if (!options_.lives || bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.deeds), &pid, &wire) != 0) {
		return std::nullopt;
	}
	Deeds deeds = decode_deeds(wire);
	if (!counts_accepts()) {
		deeds.accepted.reset();
	}
	return deeds;
}

void KernelSide::forget_deeds(std::uint32_t pid) {
	if (options_.lives) {
		bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.deeds), &pid);
	}
}

LossCounts KernelSide::losses() const {
	LossCounts counts{};
	const int cpus = libbpf_num_possible_cpus();
	std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(std::max(cpus, 1)));
	for (std::uint32_t i = 0; i < loss_count; i++) {
		if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.losses), &i, per_cpu.data()) == 0) {
			for (const std::uint64_t count : per_cpu) {
				counts.at(i) += count;
			}
		}
		counts.at(i) += dropped_.at(i);
	}
	return counts;
}

} // namespace

Result<std::unique_ptr<Collector>> Collector::start(const CollectorOptions &options) {
	auto kernel = std::make_unique<KernelSide>(options, options.look_only ? TracepointPlan{}
	                                                                      : plan_tracepoints(options.without, options.lives));
	if (auto loaded = kernel->load(); !loaded) {
		return loaded.error();
	}
	if (auto attached = kernel->attach(); !attached) {
		return attached.error();
	}
	return std::unique_ptr<Collector>(std::move(kernel));
}

} // namespace loopsnoop::collector
