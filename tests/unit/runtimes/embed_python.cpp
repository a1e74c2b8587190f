// SPDX-License-Identifier: Apache-2.0
// A program that is no python3 but runs Python: embed_python <libpython3.N.so…> <code>. Prints "no Python yet" and loads the
// library when it is sent a line, as a server's plugin would; no headers of CPython needed.
#include <dlfcn.h>

#include <cstdio>

int main(int argc, char **argv) {
	if (argc != 3) {
		return 2;
	}
	static_cast<void>(std::puts("no Python yet"));
	static_cast<void>(std::fflush(stdout));
	static_cast<void>(std::getchar());
	void *library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
	if (library == nullptr) {
		static_cast<void>(std::fputs(dlerror(), stderr));
		return 1;
	}
	const auto initialize = reinterpret_cast<void (*)()>(dlsym(library, "Py_Initialize"));
	const auto run = reinterpret_cast<int (*)(const char *, void *)>(dlsym(library, "PyRun_SimpleStringFlags"));
	if (initialize == nullptr || run == nullptr) {
		return 1;
	}
	initialize();
	return run(argv[2], nullptr);
}
