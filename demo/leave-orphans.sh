#!/bin/sh
# Makes an orphan every now and then, and prints a line: a subshell starts a process
# and exits, so that PID 1 becomes the parent of that process.
while :; do
	(sleep 0.05 &)
	echo orphan
	sleep 0.05
done
