#!/bin/sh
# Redpanda's words go to rpk, anything else is the command to run.
case ${1:-} in
    redpanda | topic | cluster) exec /usr/bin/rpk "$@" ;;
    start) exec /usr/bin/rpk redpanda "$@" ;;
esac
exec "$@"
