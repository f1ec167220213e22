#!/bin/sh
# The journal of one unit (-u), of the kernel (-k), or of all; the last lines of it (-n). -p shows what reads like a
# failure. --vacuum-size makes room once.
unit= lines=1000 pattern= kernel= failures= quiet=
while [ $# -gt 0 ]; do
  case $1 in
    -u | --unit) unit=${2%.service}; shift ;;
    --unit=*) unit=${1#*=} unit=${unit%.service} ;;
    -u?*) unit=${1#-u} unit=${unit%.service} ;;
    -n | --lines) lines=$2; shift ;;
    --lines=*) lines=${1#*=} ;;
    -n[0-9]*) lines=${1#-n} ;;
    -g | --grep) pattern=$2; shift ;;
    -k | --dmesg) kernel=yes ;;
    -q | --quiet) quiet=yes ;;
    -p | --priority) failures=yes; shift ;;
    --disk-usage)
      size=512.0M
      if [ -f "$ROOT/.node/vacuumed" ]; then size=200.0M; fi
      echo "Archived and active journals take up $size in the file system."
      exit 0
      ;;
    --vacuum-size=*)
      if [ ! -f "$ROOT/.node/vacuumed" ]; then echo 319488 >"$ROOT/.node/vacuumed"; fi
      exit 0
      ;;
    -o | --output | -S | --since | -U | --until | -t) shift ;;
  esac
  shift
done
if [ -n "$unit" ] && [ ! -f "$ROOT/.node/journal/$unit" ]; then
  [ -n "$quiet" ] || echo "-- No entries --"
  exit 0
fi
if [ -n "$kernel" ]; then
  cat "$ROOT/.node/kernel"
elif [ -n "$unit" ]; then
  cat "$ROOT/.node/journal/$unit"
else
  cat "$ROOT"/.node/journal/* "$ROOT/.node/kernel"
fi |
  { if [ -n "$pattern" ]; then grep -E -e "$pattern"; else cat; fi; } |
  { if [ -n "$failures" ]; then grep -E -i -e '\[emerg\]|error|fail|no space left|killed process|oom-killer'; else cat; fi; } |
  tail -n "$lines"
