// SPDX-License-Identifier: Apache-2.0
// Built into a shared object that plugin_host loads.
#include <time.h>

__attribute__((noinline)) static int hidden_work(int value) {
	const struct timespec forever = {1000, 0};
	nanosleep(&forever, 0);
	return value + 1;
}

int plugin_work(int value);
int plugin_work(int value) { return hidden_work(value) + 1; }
