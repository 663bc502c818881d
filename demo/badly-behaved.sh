#!/bin/sh
# A common kind of entry point: it starts helpers, handles no signal, reaps no
# child, and reads jobs from a queue, its stdin.
#
# It uses `read`: while a shell waits for a command it reaps all its dead children,
# including adopted ones. (bash does so even in `read`, unlike dash and busybox.)

tail -f /dev/null &
(while :; do sleep 60; done) &
demo/leave-orphans.sh &

echo ready
while read -r job; do
	echo "working on $job"
done
