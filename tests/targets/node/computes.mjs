// SPDX-License-Identifier: Apache-2.0
// node computes.mjs: for each word on its stdin blocks the loop in the function marked with it ("here: WORD", on the line where it
// begins) and says the word. Functions of all kinds; nothing is started with options, no map is written.
import fs from "node:fs";
import readline from "node:readline";

const BLOCK_MS = 400;

function busy(ms) {
	const end = Date.now() + ms;
	let sum = 0;
	while (Date.now() < end) sum += Math.sqrt(sum + 1);
	return sum;
}

function declared() { // here: declared
	const end = Date.now() + BLOCK_MS;
	while (Date.now() < end);
}

class Reports {
	build() { // here: method
		const end = Date.now() + BLOCK_MS;
		const rows = [];
		while (Date.now() < end) {
			rows.push({ id: rows.length, text: `row ${rows.length}`, nested: [rows.length] });
			if (rows.length > 10000) rows.length = 0;
		}
		return rows;
	}
	get size() { // here: getter
		const end = Date.now() + BLOCK_MS;
		while (Date.now() < end);
		return 1;
	}
}

const arrow = async () => { // here: arrow
	await null;
	const end = Date.now() + BLOCK_MS;
	while (Date.now() < end);
};

function young() {
	// A closure that is new at each call: it has moved by the time that the stall is over.
	const closure = () => { // here: closure
		const end = Date.now() + BLOCK_MS;
		let rows = [];
		while (Date.now() < end) rows = rows.length > 1000 ? [] : [...rows, { rows: rows.length }];
		return rows;
	};
	return closure();
}

function read() { // here: read
	fs.readFileSync(process.argv[2]);
}

function über() { // here: über
	const end = Date.now() + BLOCK_MS;
	while (Date.now() < end);
}

const kinds = {
	declared,
	method: () => new Reports().build(),
	getter: () => new Reports().size,
	arrow,
	closure: young,
	read,
	über,
};

busy(50); // is compiled and inlined before anybody watches
for await (const word of readline.createInterface({ input: process.stdin })) {
	await new Promise((resolve) => setTimeout(resolve, 60));
	await kinds[word]();
	await new Promise((resolve) => setTimeout(resolve, 30));
	console.log(word);
}
