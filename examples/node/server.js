'use strict';
// An HTTP server that gives the work to another process.

const { fork } = require('child_process');
const http = require('http');

const worker = fork(`${__dirname}/worker.js`);
const waiting = new Map(); // responses, by the number of their request
let requests = 0;

worker.on('message', ({ id, text }) => {
	waiting.get(id).end(text);
	waiting.delete(id);
});
worker.on('exit', () => {
	if (server.listening) {
		console.error('the worker has died');
		process.exit(1);
	}
});

const server = http.createServer((request, response) => {
	const id = ++requests;
	console.log(request.url);
	waiting.set(id, response);
	worker.send({ id, path: request.url });
});
server.listen(8080, () => console.log('listening'));

process.on('SIGTERM', () => {
	if (!server.listening)
		return;
	console.log('closing');
	// Waiting requests get their answers, and then their connections are closed.
	for (const response of waiting.values())
		response.setHeader('Connection', 'close');
	// No new connections from here on. When the last one is closed, the worker
	// may exit. Then node has nothing to wait for, and exits with 0.
	server.close(() => {
		console.log('closed');
		worker.disconnect();
	});
	server.closeIdleConnections();
});
