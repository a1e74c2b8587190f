// SPDX-License-Identifier: Apache-2.0
// plugin_host PLUGIN [delete]: says "ready", waits for a line, loads the plugin (and deletes it) and sleeps in it.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
	puts("ready");
	fflush(stdout);
	char line[16];
	if (argc > 2 && strcmp(argv[2], "wait") == 0 && read(0, line, sizeof(line)) <= 0) {
		return 1;
	}
	void *plugin = dlopen(argv[1], RTLD_NOW);
	int (*work)(int) = plugin ? (int (*)(int))dlsym(plugin, "plugin_work") : NULL;
	if (!work) {
		return 1;
	}
	if (argc > 2 && strcmp(argv[2], "delete") == 0) {
		unlink(argv[1]);
	}
	puts("loaded");
	fflush(stdout);
	return work(argc) + 1;
}
