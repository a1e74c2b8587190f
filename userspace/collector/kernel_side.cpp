// SPDX-License-Identifier: Apache-2.0
#include "collector/kernel_side.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "collector/decode.h"
#include "collector/encode.h"
#include "collector/kernel_version.h"
#include "collector/knobs.h"
#include "collector/libbpf_log.h"
#include "collector/pid_level.h"
#include "collector/syscall_shapes.h"
#include "collector/thread_samples.h"

namespace loopsnoop::collector {

namespace {

// By the kernel's own account (recursion_misses in struct bpf_prog_info; of programs on classic tracepoints since Linux 6.7).
// Where the kernel can be preempted, a thread in a bpf() call that is suspended keeps them from running on its CPU.
std::uint64_t missed_runs(const bpf_object *object) {
	std::uint64_t sum = 0;
	bpf_program *program = nullptr;
	bpf_object__for_each_program(program, object) {
		bpf_prog_info info{};
		__u32 length = sizeof(info);
		const int fd = bpf_program__fd(program);
		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0) {
			sum += info.recursion_misses;
		}
	}
	return sum;
}

} // namespace

Result<void> KernelSide::load() {
	route_libbpf_log(options_.verbose);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	skeleton_.reset(loopsnoop_bpf__open());
	if (skeleton_ == nullptr) {
		return errno_error("open the BPF programs");
	}
	skeleton_->rodata->knobs = knobs_of(options_, own_pid_level());
	const auto shapes = syscall_shapes();
	std::copy(shapes.begin(), shapes.end(), std::begin(skeleton_->rodata->shapes));

	const std::uint32_t a_capture = capture_bytes(options_);
	bpf_map__set_max_entries(skeleton_->maps.records, ring_bytes(options_));
	bpf_map__set_max_entries(skeleton_->maps.loops, options_.max_loops);
	bpf_map__set_max_entries(skeleton_->maps.configs, options_.max_loops);
	bpf_map__set_max_entries(skeleton_->maps.captures, options_.max_loops);
	bpf_map__set_max_entries(skeleton_->maps.gil_waits, options_.max_loops);
	bpf_map__set_max_entries(skeleton_->maps.samplings, options_.max_loops);
	bpf_map__set_value_size(skeleton_->maps.captures, a_capture);
	bpf_map__set_value_size(skeleton_->maps.scratch, a_capture);
	bpf_map__set_max_entries(skeleton_->maps.scratch, static_cast<std::uint32_t>(std::max(libbpf_num_possible_cpus(), 1)));
	bpf_program__set_autoload(skeleton_->progs.census, options_.discover);
	bpf_program__set_autoload(skeleton_->progs.on_any_enter, !plan_.per_call);
	bpf_program__set_autoload(skeleton_->progs.on_any_exit, !plan_.per_call);
	if (!plan_.per_call) {
		bpf_program__set_autoload(skeleton_->progs.on_poll_enter, false);
		bpf_program__set_autoload(skeleton_->progs.on_restart, false);
		bpf_program__set_autoload(skeleton_->progs.on_poll_exit, false);
		bpf_program__set_autoload(skeleton_->progs.on_call_enter, false);
		bpf_program__set_autoload(skeleton_->progs.on_call_exit, false);
	}
	const bool hooked = options_.process_history && !plan_.open_enter.empty();
	bpf_program__set_autoload(skeleton_->progs.on_open_enter, hooked);
	bpf_program__set_autoload(skeleton_->progs.on_rename_enter, hooked);
	bpf_program__set_autoload(skeleton_->progs.on_accept_exit, hooked);
	bpf_program__set_autoload(skeleton_->progs.on_signal, options_.process_history);
	bpf_program__set_autoload(skeleton_->progs.on_dump_sample, false);
	if (options_.snapshots_only) {
		bpf_program *program = nullptr;
		bpf_object__for_each_program(program, skeleton_->obj) {
			const bool needed = program == skeleton_->progs.snapshot || program == skeleton_->progs.on_dump_sample;
			bpf_program__set_autoload(program, needed);
		}
	}
	if (options_.verbose) {
		bpf_program *program = nullptr;
		bpf_object__for_each_program(program, skeleton_->obj) { bpf_program__set_log_level(program, 4); }
	}
	if (const int error = loopsnoop_bpf__load(skeleton_.get()); error != 0) {
		Error failure = make_error("load the BPF programs", last_libbpf_warning());
		failure.code = -error;
		const std::string release = running_kernel();
		const auto version = kernel_version(release);
		if (version && *version < oldest_kernel) {
			return make_error("follow anything on Linux " + release, {},
			                  "its programs cannot see the registers of a sleeping thread; use Linux 5.15 or newer");
		}
		if (geteuid() != 0 || error == -EPERM) {
			failure.advice = "run it as root: sudo loopsnoop …";
		} else if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
			failure.advice = "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF); `loopsnoop doctor` says what is needed";
		} else {
			failure.advice = "`loopsnoop doctor` says what this kernel lacks; -v shows the verifier's log";
		}
		return failure;
	}
	if (auto mapped = tables_.map(
	        {bpf_map__fd(skeleton_->maps.loops), bpf_map__fd(skeleton_->maps.configs), bpf_map__fd(skeleton_->maps.captures)},
	        options_.max_loops, a_capture);
	    !mapped) {
		return mapped.error();
	}
	ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.records), on_record, this, nullptr));
	if (ring_ == nullptr) {
		return errno_error("map the ring buffer");
	}
	return {};
}

Result<void> KernelSide::attach() {
	if (!options_.snapshots_only) {
		auto attached = attach_programs(*skeleton_, plan_, options_.process_history);
		if (!attached) {
			return attached.error();
		}
		attachments_ = std::move(*attached);
	}
	if (auto attached = targets_.attach(*skeleton_, options_.discover); !attached) {
		return attached.error();
	}
	if (options_.snapshots_only) {
		return {};
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
	samplers_.emplace(SamplersOptions{sample_period_ns(), suspicious_ns < max_sample_period_ns ? 0 : suspicious_ns,
	                                  [this](LoopKey key) { return tables_.iteration_start(key); }, skeleton_->progs.on_sample,
	                                  skeleton_->progs.on_major_fault});
	return {};
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

void KernelSide::ignore(LoopKey key, bool ignored) {
	if (tables_.ignore(key, ignored) && samplers_) {
		samplers_->ignore(key, ignored);
	}
}

void KernelSide::sample(LoopKey key, std::uint32_t tid) {
	if (samplers_) {
		samplers_->add(key, tid);
	}
}

std::vector<std::uint32_t> KernelSide::sample_threads(const SamplingRequest &request,
                                                      const std::function<void(RawSample &&)> &sink) {
	auto &python = skeleton_->bss->dumped_python;
	python = {};
	if (request.python) {
		encode_python(*request.python, 0, python);
	}
	const auto drain_now = [this](const std::function<void(Event &&)> &into) { drain(std::chrono::milliseconds(0), into); };
	return collector::sample_threads(request, skeleton_->progs.on_dump_sample, drain_now, sink);
}

std::optional<ProcessActivity> KernelSide::activity(std::uint32_t pid) const {
	ls_activity wire{};
	if (!options_.process_history || bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.activities), &pid, &wire) != 0) {
		return std::nullopt;
	}
	ProcessActivity activity = decode_activity(wire);
	if (!counts_accepts()) {
		activity.accepted.reset();
	}
	return activity;
}

void KernelSide::forget_activity(std::uint32_t pid) {
	if (options_.process_history) {
		bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.activities), &pid);
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
	}
	counts.at(static_cast<std::size_t>(Loss::no_slot)) += targets_.without_slot();
	counts.at(static_cast<std::size_t>(Loss::no_storage)) += targets_.without_storage();
	counts.at(static_cast<std::size_t>(Loss::no_samples)) += samplers_ ? samplers_->refused() : 0;
	counts.at(static_cast<std::size_t>(Loss::missed_runs)) += missed_runs(skeleton_->obj);
	return counts;
}

Result<std::unique_ptr<Collector>> Collector::start(const CollectorOptions &options) {
	auto kernel = std::make_unique<KernelSide>(
	    options, options.snapshots_only ? TracepointPlan{} : plan_tracepoints(options.without, options.process_history));
	if (auto loaded = kernel->load(); !loaded) {
		return loaded.error();
	}
	if (auto attached = kernel->attach(); !attached) {
		return attached.error();
	}
	return std::unique_ptr<Collector>(std::move(kernel));
}

} // namespace loopsnoop::collector
