#!/bin/sh
# timed.sh [--last] NAME COMMAND..: runs the command under a headline and says how long it took.
# The last one's own closing line is left to stand last.
last=
if [ "$1" = --last ]; then
    last=yes
    shift
fi
name=$1
shift
printf '\n== %s\n' "$name"
start=$(date +%s)
"$@"
status=$?
[ -n "$last" ] || printf -- '-- %s: %s s\n' "$name" "$(($(date +%s) - start))"
exit "$status"
