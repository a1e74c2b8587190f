// SPDX-License-Identifier: Apache-2.0
// Two worker threads beside the main thread, each with a loop; "main", "first" or "second" on stdin blocks that one for a quarter of
// a second, after which it says that word.
import fs from "node:fs";
import { createInterface } from "node:readline";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { fileURLToPath } from "node:url";

function spin(word) {
	const end = Date.now() + 250;
	while (Date.now() < end);
	fs.writeSync(1, `${word}\n`);
}

if (isMainThread) {
	const workers = Object.fromEntries(["first", "second"].map((name) => [name, new Worker(fileURLToPath(import.meta.url), { workerData: name })]));
	await Promise.all(Object.values(workers).map((worker) => new Promise((resolve) => worker.once("message", resolve))));
	createInterface({ input: process.stdin }).on("line", (word) => (workers[word] ? workers[word].postMessage(word) : spin(word)));
	fs.writeSync(1, "ready\n");
} else {
	parentPort.on("message", spin);
	parentPort.postMessage(workerData);
}
