// SPDX-License-Identifier: Apache-2.0
// A callback that computes for ever; says "ready" as it begins.
"use strict";
const fs = require("fs");

class Cache {
	refresh() { // spins
		fs.writeSync(1, "ready\n");
		for (let i = 0; ; i = (i + 1) % 1000003);
	}
}

setTimeout(() => new Cache().refresh(), 50);
