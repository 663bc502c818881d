'use strict';
// Works for server.js, and exits when server.js closes the channel or dies.

// dumb-init forwards SIGTERM to the whole process group, so the worker gets it too.
// Requests still need the worker: the server decides when it stops.
process.on('SIGTERM', () => {});

process.on('message', ({ id, path }) => {
	const answer = { id, text: `you asked for ${path}\n` };
	setTimeout(() => process.send(answer), 1000); // stands for the work
});
