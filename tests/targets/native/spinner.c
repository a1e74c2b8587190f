// SPDX-License-Identifier: Apache-2.0
// spinner [--cpu N] [--fifo] [--ms N]: uses a CPU and nothing else. With --fifo at a real-time priority, so that nothing else
// runs on that CPU; then it prints what it took: {"start_ns": …, "end_ns": …}. Without --ms until it is killed.
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "clock.h"
#include "truth.h"

int main(int argc, char **argv) {
	static const struct option options[] = {
	    {"cpu", required_argument, NULL, 'c'}, {"fifo", no_argument, NULL, 'f'}, {"ms", required_argument, NULL, 'm'}, {0}};
	int milliseconds = 0;
	int option;
	cpu_set_t cpus;
	struct sched_param priority = {.sched_priority = 50};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			CPU_ZERO(&cpus);
			CPU_SET(atoi(optarg), &cpus);
			if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) {
				die("sched_setaffinity");
			}
			break;
		case 'f':
			if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0) {
				die("sched_setscheduler");
			}
			break;
		case 'm': milliseconds = atoi(optarg); break;
		default: return 2;
		}
	}
	int64_t start_ns = monotonic_ns();
	while (milliseconds == 0 || monotonic_ns() < start_ns + milliseconds * 1000000LL) {
	}
	(void)printf("{\"start_ns\":%lld,\"end_ns\":%lld}\n", (long long)start_ns, (long long)monotonic_ns());
	return 0;
}
