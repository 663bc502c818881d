#!/bin/sh
# Does the work that needs root, and then becomes an ordinary user.
set -eu
chown www-data: /var/spool/jobs

# With exec the shell becomes setpriv, and setpriv becomes the service. It has
# the shell's PID, to which dumb-init forwards signals.
# dumb-init stays root, and signals another user's process: that takes CAP_KILL.
# After --cap-drop ALL, give --cap-add KILL beside SETUID, SETGID and CHOWN.
exec setpriv --reuid www-data --regid www-data --init-groups \
	--no-new-privs -- "$@"
