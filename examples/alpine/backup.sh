#!/bin/sh
# Once begun it has to finish. The SIGTERM that begins --grace is ignored, here
# and in all that is started here; the SIGKILL that ends it cannot be.
trap '' TERM
set -eu
mkdir -p /backup
echo 'backup: begun'
tar -czf /backup/part.tar.gz -C /etc crontabs
sleep 2 # stands for more work
mv /backup/part.tar.gz /backup/last.tar.gz
echo 'backup: finished'
