'use strict';
// Works for server.js, and ends when that closes the channel, or dies.

// dumb-init passes SIGTERM on to the whole process group, so it comes here too.
// Requests still need us: the server knows when to stop.
process.on('SIGTERM', () => {});

process.on('message', ({ id, path }) => {
	const answer = { id, text: `you asked for ${path}\n` };
	setTimeout(() => process.send(answer), 1000); // stands for the work
});
