#!/bin/sh
# An entry point as one meets them: it starts helpers, handles no signal, waits
# for nobody, and reads jobs from a queue, its stdin.
#
# It does so with `read`: while a shell waits for a command it collects every
# dead child it has, adopted ones too. (bash does even in `read`, unlike dash
# and busybox.)

tail -f /dev/null &
(while :; do sleep 60; done) &
demo/leave-orphans.sh &

echo ready
while read -r job; do
	echo "working on $job"
done
