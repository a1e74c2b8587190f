// SPDX-License-Identifier: Apache-2.0
// node node_server.js PORT: the smallest HTTP server.
'use strict';
const http = require('http');

http.createServer((_request, response) => {
	response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 2 });
	response.end('ok');
}).listen(Number(process.argv[2]), '127.0.0.1');
