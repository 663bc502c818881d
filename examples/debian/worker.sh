#!/bin/sh
# Sums up each file NAME.job that appears in the spool. The file that it has at
# SIGTERM is finished, the others are left to the next worker.
set -eu
cd /var/spool/jobs
stop=
# Runs when the program in the foreground has ended, or cuts a wait short.
trap 'stop=yes' TERM

echo "working as $(id -un)"
while [ -z "$stop" ]; do
	for job in *.job; do
		# Without any, the pattern stands for itself.
		[ -e "$job" ] || continue
		sum=$(sha256sum <"$job")
		echo "$job: ${sum%% *}"
		mv "$job" "$job.done"
		[ -z "$stop" ] || break
	done
	# SIGTERM cuts a wait short, and not a sleep in the foreground.
	sleep 1 &
	wait $! || true
done
echo stopped
