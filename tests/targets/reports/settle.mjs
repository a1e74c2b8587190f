// SPDX-License-Identifier: Apache-2.0
// The main thread waits by Atomics.wait for a promise that only its own loop can settle.
import http from 'node:http';
import { Worker } from 'node:worker_threads';

const program = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (job) => parentPort.postMessage({ job, total: job.values.reduce((a, b) => a + b, 0) }));
`;

function inWorker(job) {
	return new Promise((resolve, reject) => {
		const worker = new Worker(program, { eval: true });
		worker.once('message', (answer) => {
			worker.terminate();
			resolve(answer);
		});
		worker.once('error', reject);
		worker.postMessage(job);
	});
}

function settle(job) {
	const flag = new Int32Array(new SharedArrayBuffer(4));
	inWorker(job).then(() => {
		Atomics.store(flag, 0, 1);
		Atomics.notify(flag, 0);
	});
	Atomics.wait(flag, 0, 0);
}

http.createServer((_request, response) => {
	settle({ values: [3, 4, 5] });
	response.end('ok');
}).listen(Number(process.argv[2]), '127.0.0.1');
