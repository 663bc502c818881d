#!/bin/sh
# Two helpers write files, which have to be complete at the end.

finish() {
	# When the script has ended, dumb-init sends SIGTERM to what is left: a
	# second one for us. It must not cut this short, nor what we start here.
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
		# SIGTERM cuts a wait short, and not a sleep in the foreground.
		sleep 1 &
		wait $!
	done
}

helper load /proc/loadavg &
helper memory /proc/meminfo &
# dumb-init passes SIGTERM on to us and to the helpers, as they are in the same
# process group. We need not wait for them: --grace does.
trap 'exit 0' TERM
wait
