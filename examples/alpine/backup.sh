#!/bin/sh
# A backup that has begun must finish. This script and the programs that it starts
# ignore the SIGTERM that begins --grace; the SIGKILL that ends it cannot be ignored.
trap '' TERM
set -eu
mkdir -p /backup
echo 'backup: begun'
tar -czf /backup/part.tar.gz -C /etc crontabs
sleep 2 # stands for more work
mv /backup/part.tar.gz /backup/last.tar.gz
echo 'backup: finished'
