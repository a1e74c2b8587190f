// SPDX-License-Identifier: Apache-2.0
// With "exec": blocks its loop in execSync, called from functions with names. Otherwise idle.
const { execSync } = require('child_process');
function inner() { execSync('sleep 100'); }
function middle() { inner(); }
console.log('ready');
if (process.argv[2] === 'exec') setTimeout(function tick() { middle(); }, 1);
else setInterval(() => {}, 100000);
