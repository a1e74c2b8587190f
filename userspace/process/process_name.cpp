// SPDX-License-Identifier: Apache-2.0
#include "process/process_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <initializer_list>
#include <span>

#include "base/escape.h"
#include "base/utf8.h"
#include "process/placement.h"

namespace loopsnoop::process {

namespace {

using Arguments = std::span<const std::string>;

constexpr std::size_t max_command = 200; // the contract's
constexpr std::size_t max_name = 80;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
	return std::find(words.begin(), words.end(), word) != words.end();
}

// "python3.11" is a "python", "perl5.36" a "perl".
bool is_program(std::string_view program, std::string_view stem) {
	return program.starts_with(stem) && std::ranges::all_of(program.substr(stem.size()), [](char c) {
		       return (std::isdigit(static_cast<unsigned char>(c)) != 0) || c == '.' || c == '-';
	       });
}

// How an interpreter's command line is read: which options take the next argument, which one is followed by a module's name, and
// which by the program itself.
struct Interpreter {
	std::string_view stem;
	std::vector<std::string_view> with_value;
	std::vector<std::string_view> module; // what follows is the name of what it runs
	std::vector<std::string_view> code;   // what follows is a program's text
	std::vector<std::string_view> verbs;  // words before the script: "bun run x.ts"
};

const std::vector<Interpreter> &interpreters() {
	static const std::vector<Interpreter> all{
	    {"python", {"-X", "-W", "-Q", "--check-hash-based-pycs"}, {"-m"}, {"-c"}, {}},
	    {"pypy", {"-X", "-W"}, {"-m"}, {"-c"}, {}},
	    {"node",
	     {"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"},
	     {},
	     {"-e", "--eval", "-p", "--print", "-pe"},
	     {}},
	    {"nodejs", {"-r", "--require", "--import", "--loader"}, {}, {"-e", "--eval", "-p", "--print"}, {}},
	    {"bun", {"-r", "--preload", "--config", "-c", "--cwd"}, {}, {"-e", "--eval"}, {"run", "x"}},
	    {"deno", {"--config", "-c", "--import-map"}, {}, {"eval"}, {"run", "serve"}},
	    {"ruby", {"-I", "-r", "-C"}, {}, {"-e"}, {}},
	    {"perl", {"-I"}, {}, {"-e", "-E"}, {}},
	    {"php", {"-d", "-c", "-S", "-t"}, {"-f"}, {"-r"}, {}},
	    {"java",
	     {"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules"},
	     {"-jar", "-m", "--module"},
	     {},
	     {}},
	    {"dotnet", {}, {}, {}, {"exec", "run"}},
	    {"sh", {"-o"}, {}, {"-c"}, {}},
	    {"bash", {"-o", "-O", "--rcfile", "--init-file"}, {}, {"-c"}, {}},
	    {"dash", {"-o"}, {}, {"-c"}, {}},
	    {"zsh", {"-o"}, {}, {"-c"}, {}},
	};
	return all;
}

const Interpreter *interpreter_of(std::string_view program) {
	const auto found =
	    std::ranges::find_if(interpreters(), [&](const Interpreter &one) { return is_program(program, one.stem); });
	return found != interpreters().end() ? &*found : nullptr;
}

bool is_among(std::string_view word, const std::vector<std::string_view> &words) {
	return std::ranges::find(words, word) != words.end();
}

// "shop:app", "shop.main:create_app()", "config.wsgi:application"; not "127.0.0.1:8000" or "http://x".
bool is_application(std::string_view word) {
	const std::size_t colon = word.find(':');
	if (colon == std::string_view::npos || colon == 0 || colon + 1 == word.size()) {
		return false;
	}
	const std::string_view after = word.substr(colon + 1);
	const auto is_name = [](char c) { return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_' || c == '.'; };
	return std::ranges::all_of(word.substr(0, colon), is_name) && std::isdigit(static_cast<unsigned char>(after.front())) == 0 &&
	       std::ranges::all_of(after, [&](char c) { return is_name(c) || c == '(' || c == ')'; });
}

// What a launcher was asked to run: "shop:app" of "uvicorn", "runserver" of "manage.py", "-A shop worker" of "celery".
std::string application_of(std::string_view launcher, Arguments after) {
	const auto application = std::ranges::find_if(after, [](const std::string &word) { return is_application(word); });
	if (application != after.end()) {
		return *application;
	}
	const bool has_verbs =
	    is_one_of(launcher, {"manage.py", "celery", "flask", "rq", "rails", "rake", "airflow", "artisan", "daphne", "gunicorn"});
	std::string named;
	for (std::size_t i = 0; has_verbs && i < after.size(); i++) {
		const std::string &word = after[i];
		if (is_one_of(word, {"-A", "--app"}) && i + 1 < after.size()) {
			named = "-A " + after[++i];
		} else if (word.starts_with('-')) {
			i += word.find('=') == std::string::npos && word.starts_with("--") && named.empty() ? 1 : 0; // it may have a value
		} else {
			return named.empty() ? word : named + ' ' + word;
		}
	}
	return named;
}

// What the interpreter runs: its arguments but the first.
std::string script_of(const Interpreter &interpreter, Arguments arguments) {
	for (std::size_t i = 0; i < arguments.size(); i++) {
		const std::string &word = arguments[i];
		const bool has_next = i + 1 < arguments.size();
		if (is_among(word, interpreter.code) || word == "-") {
			return {};
		}
		std::string script;
		if (is_among(word, interpreter.module) && has_next) {
			i++;
			script = base_name(arguments[i]);
		} else if (is_among(word, interpreter.with_value)) {
			i++;
			continue;
		} else if (is_among(word, interpreter.verbs) || (word.starts_with('-') && word.size() > 1) || word.empty()) {
			continue;
		} else {
			script = base_name(word);
		}
		const std::string application = application_of(script, arguments.subspan(i + 1));
		const bool serves = script.find('.') == std::string::npos || script == "manage.py" || interpreter.stem == "python";
		return serves && !application.empty() ? script + ' ' + application : script;
	}
	return {};
}

// A program that has written a title over its arguments: one string that is no call of the interpreter.
bool is_title(const Interpreter &interpreter, const std::vector<std::string> &arguments) {
	return arguments.size() == 1 && !arguments.front().empty() && !arguments.front().starts_with('/') &&
	       !is_program(base_name(arguments.front()), interpreter.stem) && interpreter_of(base_name(arguments.front())) == nullptr;
}

bool is_multiprocessing(const std::vector<std::string> &arguments, std::string_view what) {
	return arguments.size() >= 3 && std::ranges::any_of(arguments, [&](const std::string &word) {
		       return word.starts_with("from multiprocessing.") && word.find(what) != std::string::npos;
	       });
}

std::string shortened(std::string text, std::size_t max) {
	if (text.size() <= max) {
		return text;
	}
	constexpr std::string_view dots = "…";
	text.resize(utf8::cut_before(text, max - dots.size()));
	return text + std::string(dots);
}

// Scopes are sessions of people and what others have started in them; a user's manager is a user's, and not a service's.
std::string unit_name(const Placement &placement) {
	constexpr std::string_view suffix = ".service";
	std::string_view unit = placement.unit;
	if (!unit.ends_with(suffix) || unit.starts_with("user@")) {
		return {};
	}
	return std::string(unit.substr(0, unit.size() - suffix.size()));
}

// The words of a name: "gunicorn: worker [shop]" has gunicorn, worker, shop; "uvicorn shop:app" has shop:app, too.
bool contains_word(std::string_view name, std::string_view word) {
	for (const std::string_view separators : {" []():,@", " []()"}) {
		std::size_t begin = 0;
		while (begin < name.size()) {
			const std::size_t end = std::min(name.find_first_of(separators, begin), name.size());
			const std::string_view one = name.substr(begin, end - begin);
			if (one == word || (one.find('.') != std::string_view::npos && one.substr(0, one.rfind('.')) == word)) {
				return true;
			}
			begin = end + 1;
		}
	}
	return false;
}

} // namespace

ProgramFacts program_facts(const ProcFs &proc, std::uint32_t pid) {
	constexpr int max_generations = 4;
	ProgramFacts facts;
	facts.comm = proc.comm(pid);
	facts.placement = placement_of(proc.cgroups(pid));
	const auto program = proc.exe(pid);
	facts.program = program ? base_name(proc.known_path(pid, *program)) : std::string_view();
	facts.arguments = proc.cmdline(pid);
	std::vector<std::string> arguments = facts.arguments;
	for (int i = 0; i < max_generations && is_multiprocessing(arguments, "spawn_main"); i++) {
		const auto status = proc.status(pid);
		pid = status ? status->ppid : 0;
		arguments = pid != 0 ? proc.cmdline(pid) : std::vector<std::string>();
	}
	if (!arguments.empty() && !is_multiprocessing(arguments, "")) {
		facts.arguments = std::move(arguments);
	}
	return facts;
}

std::string program_name(const ProgramFacts &facts) {
	const std::string_view first =
	    facts.arguments.empty() ? std::string_view() : base_name(std::string_view(facts.arguments.front()));
	const std::string_view program = facts.program.empty() ? first : std::string_view(facts.program);
	std::string name;
	if (const Interpreter *interpreter = interpreter_of(program); interpreter != nullptr && !facts.arguments.empty()) {
		const Arguments arguments(facts.arguments);
		if (is_multiprocessing(facts.arguments, "tracker")) {
			name = "multiprocessing's resource tracker";
		} else if (is_multiprocessing(facts.arguments, "")) {
			name = "multiprocessing's worker";
		} else {
			name =
			    is_title(*interpreter, facts.arguments) ? facts.arguments.front() : script_of(*interpreter, arguments.subspan(1));
		}
	}
	if (name.empty()) {
		name = program.empty() ? facts.comm : std::string(program);
	}
	return shortened(printable(name, 2 * max_name), max_name);
}

bool is_interpreters_name(std::string_view comm) { return comm == "MainThread" || interpreter_of(comm) != nullptr; }

ProcessName name_of(const ProgramFacts &facts) {
	std::string command;
	for (const std::string &argument : facts.arguments) {
		if (command.size() > 2 * max_command) {
			break;
		}
		command += (command.empty() ? "" : " ") + argument.substr(0, 2 * max_command);
	}
	std::string unit = unit_name(facts.placement);
	return {shortened(printable(command, command.size()), max_command), unit.empty() ? program_name(facts) : printable(unit)};
}

std::vector<std::string> all_names(const ProgramFacts &facts) {
	std::vector<std::string> names{facts.comm, program_name(facts)};
	for (std::string &name : std::vector<std::string>{facts.program, name_of(facts).service, facts.placement.unit}) {
		if (!name.empty() && std::ranges::find(names, name) == names.end()) {
			names.push_back(std::move(name));
		}
	}
	return names;
}

bool goes_by(const ProgramFacts &facts, std::string_view name) {
	constexpr std::size_t short_id = 12; // as docker ps and crictl ps show it
	if (name.empty()) {
		return false;
	}
	if (name.size() >= short_id && facts.placement.container.starts_with(name)) {
		return true;
	}
	return is_program(facts.program, name) ||
	       std::ranges::any_of(all_names(facts), [&](const std::string &one) { return one == name || contains_word(one, name); });
}

} // namespace loopsnoop::process
