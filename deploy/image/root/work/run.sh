#!/bin/sh
exec /work/kafka -Dserver.properties-file=/work/server.properties "$@"
