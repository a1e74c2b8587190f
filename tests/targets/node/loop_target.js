// SPDX-License-Identifier: Apache-2.0
// node loop_target.js TRUTH KIND COUNT: Node's loop blocks COUNT times by sleep_sync, exec_sync or fifo_read. The same protocol as
// the other targets: says "ready", begins at "go" on its stdin, says "done", ends at the end of its stdin.
"use strict";
const fs = require("fs");
const child_process = require("child_process");

const [truthPath, kind, countText] = process.argv.slice(2);
const cell = new Int32Array(new SharedArrayBuffer(4));
const fifo = truthPath + ".fifo";

function plannedMs(index) {
	return index % 5 === 3 ? 20 + ((index * 13) % 41) : 120 + ((index * 37) % 141);
}

const kinds = {
	sleep_sync: {
		cause: "futex",
		syscalls: ["futex"],
		block: (ms) => Atomics.wait(cell, 0, 0, ms),
		resource: { kind: "futex" },
	},
	// libuv runs a loop of its own on another epoll descriptor until the child has ended.
	exec_sync: {
		cause: "poll|pipe|child",
		syscalls: ["epoll_wait", "epoll_pwait"],
		block: (ms) => child_process.execFileSync("sleep", [String(ms / 1000)]),
		resource: null,
	},
	fifo_read: {
		cause: "pipe",
		syscalls: ["open", "openat", "read"],
		prepare: (ms) => child_process.spawn("sh", ["-c", `sleep ${ms / 1000}; echo x > "$0"`, fifo], { stdio: "ignore" }),
		block: () => fs.readFileSync(fifo),
		resource: { kind: "pipe", path: fifo },
	},
};

const wait = kinds[kind];
if (kind === "fifo_read") {
	child_process.execFileSync("mkfifo", [fifo]);
}

function now() {
	return Number(process.hrtime.bigint());
}

function measure(ms) {
	const callbackStart = now();
	if (wait.prepare) {
		wait.prepare(ms);
	}
	const before = process.cpuUsage();
	const start = now();
	wait.block(ms);
	const end = now();
	const cpu = process.cpuUsage(before);
	const event = {
		kind: "event",
		start_ns: start,
		end_ns: end,
		// Of the whole process: V8's other threads are idle meanwhile.
		cpu_ns: (cpu.user + cpu.system) * 1000,
		callback_start_ns: callbackStart,
		callback_end_ns: now(),
		pid: process.pid,
		tid: process.pid,
		cause: wait.cause,
		syscalls: wait.syscalls,
		pieces: 0,
		resource: wait.resource,
		function: "measure",
		file: __filename,
		line: null,
	};
	fs.appendFileSync(truthPath, JSON.stringify(event) + "\n");
}

fs.appendFileSync(truthPath, JSON.stringify({ kind: "loop", pid: process.pid, tid: process.pid }) + "\n");

const idle = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function followPlan() {
	for (let index = 0; index < Number(countText); ++index) {
		await idle(30);
		measure(plannedMs(index));
	}
	await idle(30);
	console.log("done");
}

process.stdin.once("data", followPlan);
process.stdin.on("end", () => process.exit(0));
setTimeout(() => console.log("ready"), 200);
