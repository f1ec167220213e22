#!/bin/sh
# The journal of one unit (-u), or of all; the last lines of it (-n).
unit= lines=1000 pattern=
while [ $# -gt 0 ]; do
  case $1 in
    -u | --unit) unit=${2%.service}; shift ;;
    --unit=*) unit=${1#*=} unit=${unit%.service} ;;
    -u?*) unit=${1#-u} unit=${unit%.service} ;;
    -n | --lines) lines=$2; shift ;;
    --lines=*) lines=${1#*=} ;;
    -n[0-9]*) lines=${1#-n} ;;
    -g | --grep) pattern=$2; shift ;;
    -p | --priority | -o | --output | -S | --since | -U | --until | -t) shift ;;
  esac
  shift
done
if [ -n "$unit" ] && [ ! -f "$ROOT/.node/journal/$unit" ]; then
  echo "-- No entries --"
  exit 0
fi
if [ -n "$unit" ]; then cat "$ROOT/.node/journal/$unit"; else cat "$ROOT"/.node/journal/*; fi |
  { if [ -n "$pattern" ]; then grep -E -e "$pattern"; else cat; fi; } | tail -n "$lines"
