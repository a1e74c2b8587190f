// SPDX-License-Identifier: Apache-2.0
// A thread that sleeps in a signal handler; with an argument, on a signal stack of its own.
#include <signal.h>
#include <stdio.h>
#include <time.h>

static char signal_stack[65536];
static volatile int never;

__attribute__((noinline)) static void in_handler(int signal_number) {
	const struct timespec forever = {1000, 0};
	nanosleep(&forever, NULL);
	never += signal_number;
}

__attribute__((noinline)) static int interrupted(int value) {
	// Interrupted at its very first instructions would be possible, too: raise() is called from here.
	raise(SIGUSR1);
	return value + never;
}

int main(int argc, char **argv) {
	(void)argv;
	const stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
	sigaltstack(&stack, NULL);
	const struct sigaction action = {.sa_handler = in_handler, .sa_flags = argc > 1 ? SA_ONSTACK : 0};
	sigaction(SIGUSR1, &action, NULL);
	puts("ready");
	fflush(stdout);
	return interrupted(argc);
}
