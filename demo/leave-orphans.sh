#!/bin/sh
# Leaves an orphan behind every now and then, and says so: a subshell starts a
# process and ends, so that PID 1 becomes its parent.
while :; do
	(sleep 0.05 &)
	echo orphan
	sleep 0.05
done
