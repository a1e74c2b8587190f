// SPDX-License-Identifier: Apache-2.0
#include "model/application.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>

namespace loopsnoop {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "3.11", "3.11t": what follows "python" in the name of a directory, an executable or a library.
bool is_version(std::string_view text) {
	return !text.empty() && is_digit(text.front()) &&
	       std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.' || c == 't' || c == 'd'; });
}

bool is_library_directory(std::string_view name) { return name == "lib" || name == "lib64"; }

// The directory (or zip file) of CPython's standard library: lib/python3.11, lib/pypy3.9, lib/python311.zip.
bool is_standard_library(std::string_view parent, std::string_view name) {
	for (const std::string_view runtime : {"python", "pypy"}) {
		if (is_library_directory(parent) && name.starts_with(runtime)) {
			name.remove_prefix(runtime.size());
			return is_version(name) || (name.ends_with(".zip") && is_version(name.substr(0, name.size() - 4)));
		}
	}
	return false;
}

struct Path {
	bool package = false;          // below site-packages, dist-packages, node_modules, or where Debian has Node's packages
	bool standard_library = false; // below lib/python3.N
	bool in_bin = false;           // directly in a bin directory
	std::string_view name;         // the last component
};

Path parse_path(std::string_view path) {
	Path found;
	const bool of_system = path.starts_with("/usr/share/") || path.starts_with("/usr/lib/");
	std::string_view parent;
	while (true) {
		const std::size_t slash = path.find('/');
		const std::string_view component = path.substr(0, slash);
		if (slash == std::string_view::npos) {
			found.in_bin = parent == "bin" || parent == "sbin";
			found.name = component;
			return found;
		}
		found.package |= component == "site-packages" || component == "dist-packages" || component == "node_modules" ||
		                 (of_system && component == "nodejs");
		found.standard_library |= is_standard_library(parent, component);
		if (!component.empty()) {
			parent = component;
		}
		path.remove_prefix(slash + 1);
	}
}

// pip's and distributions' launchers have no extension, and nothing but a top level that calls into the package.
bool is_launcher(const SourceFrame &frame, const Path &path) {
	return path.in_bin && path.name.find('.') == std::string_view::npos && frame.function == "<module>";
}

bool in_system_libraries(std::string_view module) {
	static constexpr std::array<std::string_view, 7> places{
	    "/lib/", "/lib32/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/usr/local/lib/", "/nix/store/",
	};
	return std::any_of(places.begin(), places.end(), [&](std::string_view place) { return module.starts_with(place); });
}

// "libuv.so.1", "libuv.so", "libuv-1.44.so": of the library `stem`.
bool is_library(std::string_view name, std::string_view stem) {
	return name.starts_with(stem) && name.size() > stem.size() && (name[stem.size()] == '.' || name[stem.size()] == '-') &&
	       name.find(".so") != std::string_view::npos;
}

bool is_interpreter_module(std::string_view name) {
	for (const std::string_view interpreter : {"python", "pypy"}) {
		if (name.starts_with(interpreter)) {
			const std::string_view rest = name.substr(interpreter.size());
			if (rest.empty() || is_version(rest)) {
				return true;
			}
		}
	}
	return name.starts_with("libpython") || is_library(name, "libnode") || name == "node" || name == "nodejs" || name == "bun" ||
	       name == "deno";
}

// Runtimes, wherever they lie: containers and self-built interpreters keep them outside the system's directories.
bool is_runtime_module(std::string_view name) {
	static constexpr std::array<std::string_view, 10> libraries{
	    "libc", "libpthread", "libm", "libdl", "librt", "libgcc_s", "libstdc++", "libc++", "libuv", "libev",
	};
	return is_interpreter_module(name) || name.starts_with("ld-linux") || name.starts_with("ld-musl") ||
	       name.starts_with("libc.musl") || name.starts_with("ld-2.") || !language_of_module(name).empty() ||
	       std::any_of(libraries.begin(), libraries.end(), [&](std::string_view stem) { return is_library(name, stem); });
}

bool begins_with_any(std::string_view text, std::initializer_list<std::string_view> beginnings) {
	return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view one) { return text.starts_with(one); });
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
	return std::any_of(parts.begin(), parts.end(),
	                   [&](std::string_view one) { return text.find(one) != std::string_view::npos; });
}

// Where threads and processes begin; what compilers and C libraries call their own (names that C reserves for them).
bool is_start_or_compiler_function(std::string_view function) {
	return function == "_start" || function == "_init" ||
	       begins_with_any(function, {"__", "_dl_", "_Unwind_", "_IO_", "operator new", "operator delete"});
}

// System calls of a C library that is linked into the program itself.
bool is_libc_call(std::string_view function) {
	static constexpr std::array<std::string_view, 38> calls{
	    "accept",   "accept4",   "clock_nanosleep", "clone",   "close",    "connect",   "epoll_pwait", "epoll_wait",
	    "fcntl",    "fdatasync", "flock",           "fsync",   "ioctl",    "nanosleep", "open",        "openat",
	    "poll",     "ppoll",     "pread64",         "pselect", "pwrite64", "read",      "readv",       "recv",
	    "recvfrom", "recvmsg",   "select",          "send",    "sendmsg",  "sendto",    "sleep",       "start_thread",
	    "syscall",  "usleep",    "wait4",           "waitpid", "write",    "writev",
	};
	return std::find(calls.begin(), calls.end(), function) != calls.end() || begins_with_any(function, {"pthread_", "sem_wait"});
}

// Libraries that are compiled into the application's own file: recognised by name where the file is not known. The name of a
// template may begin with what it returns.
bool is_library_function(std::string_view function) {
	if (begins_with_any(function, {"void ", "bool ", "int ", "auto "})) {
		function.remove_prefix(function.find(' ') + 1);
	}
	return begins_with_any(function, {"std::", "__gnu_cxx::", "boost::", "core::", "alloc::", "tokio::", "<core::", "<alloc::",
	                                  "<std::", "<tokio::", "runtime.", "runtime/", "syscall.", "internal/", "sync."});
}

// A source file that came with a compiler, a system or a package manager.
bool is_library_source(std::string_view file) {
	if (file.find('@') != std::string_view::npos && contains_any(file, {"/pkg/mod/", "@v"})) {
		return true; // Go's modules
	}
	if (!file.starts_with('/') && file.ends_with(".go")) { // with -trimpath
		return begins_with_any(file, {"runtime/", "internal/", "syscall/", "sync/", "net/", "os/", "io/", "bufio/", "time/",
		                              "fmt/", "context/", "crypto/", "encoding/", "database/sql/", "reflect/", "strings/",
		                              "bytes/", "log/", "vendor/golang.org/"});
	}
	return begins_with_any(file, {"/usr/include/", "/usr/local/include/", "/rustc/", "library/std/", "library/core/",
	                              "library/alloc/", "/usr/local/go/src/", "/usr/lib/go-", "/usr/lib/go/", "/usr/share/go-",
	                              "/opt/go/src/", "/usr/src/"}) ||
	       contains_any(file, {"/include/c++/", "/.cargo/registry/", "/cargo/registry/src/", "/.cargo/git/checkouts/",
	                           "/rustlib/src/rust/", "/library/std/src/", "/library/core/src/", "/library/alloc/src/",
	                           "/usr/include/", "/libgcc/", "/compiler-rt/", "/nptl/", "/sysdeps/"});
}

// The file decides, where it is known: a template of the library may be made for the application's types.
bool is_runtime_function(const NativeFrame &frame) {
	const std::string_view function = *frame.function;
	if (is_start_or_compiler_function(function)) {
		return true;
	}
	return frame.file ? is_library_source(*frame.file) : is_library_function(function) || is_libc_call(function);
}

} // namespace

std::string_view language_of_module(std::string_view name) {
	struct Interpreter {
		std::string_view name; // "perl5.36.0", "php8.2", "ruby3.1", "php-fpm8.2" are of those, too
		std::string_view language;
	};
	static constexpr std::array<Interpreter, 16> programs{{
	    {"perl", "Perl"},
	    {"ruby", "Ruby"},
	    {"php-fpm", "PHP"},
	    {"php-cgi", "PHP"},
	    {"php", "PHP"},
	    {"lua", "Lua"},
	    {"luajit", "Lua"},
	    {"R", "R"},
	    {"guile", "Guile"},
	    {"erl", "Erlang"},
	    {"beam.smp", "Erlang"},
	    {"java", "Java"},
	    {"mono", ".NET"},
	    {"dotnet", ".NET"},
	    {"bun", "Bun"},
	    {"deno", "Deno"},
	}};
	for (const Interpreter &one : programs) {
		if (name.starts_with(one.name)) {
			const std::string_view rest = name.substr(one.name.size());
			if (rest.empty() || is_version(rest)) {
				return one.language;
			}
		}
	}
	static constexpr std::array<Interpreter, 8> libraries{{
	    {"libperl", "Perl"},
	    {"libruby", "Ruby"},
	    {"libphp", "PHP"},
	    {"liblua", "Lua"},
	    {"libluajit", "Lua"},
	    {"libjvm", "Java"},
	    {"libjli", "Java"},
	    {"libcoreclr", ".NET"},
	}};
	for (const Interpreter &one : libraries) { // "libruby-3.1.so.3.1", "liblua5.4.so.0", "libphp8.2.so"
		if (is_library(name, one.name) || (name.starts_with(one.name) && name.size() > one.name.size() &&
		                                   is_digit(name[one.name.size()]) && name.find(".so") != std::string_view::npos)) {
			return one.language;
		}
	}
	return {};
}

std::string_view language_not_read(const std::vector<NativeFrame> &frames) {
	for (const NativeFrame &frame : frames) {
		if (const std::string_view language = frame.module ? language_of_module(parse_path(*frame.module).name) : "";
		    !language.empty()) {
			return language;
		}
	}
	return {};
}

bool is_typed_in_frame(const SourceFrame &frame) {
	const std::string_view file = frame.file;
	return file == "<string>" || file == "<stdin>" || file == "<script>" || file.starts_with("<python-input") ||
	       file.starts_with("<ipython-input") || file.starts_with("[eval]") || file.starts_with("evalmachine.<anonymous>");
}

bool is_application_frame(const SourceFrame &frame) {
	const std::string_view file = frame.file;
	if (file.empty() || file.front() == '<' || file.starts_with("node:") || file.starts_with("internal/") ||
	    is_typed_in_frame(frame)) {
		return false;
	}
	const Path path = parse_path(file);
	return !path.package && !path.standard_library && !is_launcher(frame, path);
}

bool is_application_frame(const NativeFrame &frame) {
	if (!frame.function || frame.function->empty() || !frame.module || frame.module->empty() || frame.module->front() == '[') {
		return false;
	}
	const Path path = parse_path(*frame.module);
	const bool library = path.name.find(".so") != std::string_view::npos;
	return !path.package && !path.standard_library && !(library && in_system_libraries(*frame.module)) &&
	       !is_runtime_module(path.name) && !is_runtime_function(frame);
}

bool is_interpreter_frame(const NativeFrame &frame) {
	return frame.module && is_interpreter_module(parse_path(*frame.module).name);
}

const SourceFrame *innermost_application_frame(const std::vector<SourceFrame> &frames) {
	const auto own =
	    std::find_if(frames.begin(), frames.end(), [](const SourceFrame &frame) { return is_application_frame(frame); });
	if (own != frames.end()) {
		return &*own;
	}
	const auto typed = std::find_if(frames.begin(), frames.end(), is_typed_in_frame);
	return typed == frames.end() ? nullptr : &*typed;
}

const NativeFrame *innermost_application_frame(const std::vector<NativeFrame> &frames) {
	const auto own =
	    std::find_if(frames.begin(), frames.end(), [](const NativeFrame &frame) { return is_application_frame(frame); });
	return own == frames.end() ? nullptr : &*own;
}

} // namespace loopsnoop
