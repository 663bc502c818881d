#!/bin/sh
# Two helpers write files, which must be complete at the end.

finish() {
	# A second SIGTERM, of a second docker stop for example, must not kill this
	# helper, nor the programs that it starts from here on.
	trap '' TERM
	sleep 1 # stands for the work
	mv "/tmp/$name.part" "/tmp/$name"
	echo "$name: complete"
	exit
}

helper() {
	name=$1 from=$2
	trap finish TERM
	echo "$name: started"
	while :; do
		head -n 1 "$from" >>"/tmp/$name.part"
		# SIGTERM interrupts `wait`, but not a sleep in the foreground.
		sleep 1 &
		wait $!
	done
}

helper load /proc/loadavg &
helper memory /proc/meminfo &
# dumb-init forwards SIGTERM to this script and to the helpers, which are in the same
# process group. The script need not wait for them: --grace does.
trap 'exit 0' TERM
wait
