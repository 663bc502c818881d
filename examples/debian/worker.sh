#!/bin/sh
# Prints the checksum of each file NAME.job that appears in the spool. On SIGTERM it
# finishes the current file, and leaves the others to the next worker.
set -eu
cd /var/spool/jobs
stop=
# Runs when the program in the foreground has exited, or interrupts `wait`.
trap 'stop=yes' TERM

echo "working as $(id -un)"
while [ -z "$stop" ]; do
	for job in *.job; do
		# If there is none, the shell leaves the pattern as it is.
		[ -e "$job" ] || continue
		sum=$(sha256sum <"$job")
		echo "$job: ${sum%% *}"
		mv "$job" "$job.done"
		[ -z "$stop" ] || break
	done
	# SIGTERM interrupts `wait`, but not a sleep in the foreground.
	sleep 1 &
	wait $! || true
done
echo stopped
