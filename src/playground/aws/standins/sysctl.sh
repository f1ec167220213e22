#!/bin/sh
# A file for each parameter in .node/sysctl.
all=$ROOT/.node/sysctl
write= only=
while [ $# -gt 0 ]; do
  case $1 in
    -w) write=yes ;;
    -n) only=yes ;;
    -*) ;;
    *=*) write=yes; break ;;
    *) break ;;
  esac
  shift
done
name=${1%%=*} value=${1#*=}
if [ ! -f "$all/$name" ]; then
  echo "sysctl: cannot stat /proc/sys/$(printf '%s' "$name" | tr . /): No such file or directory" >&2
  exit 255
fi
if [ -n "$write" ]; then
  case $value in
    *[!0-9\ ]*)
      echo "sysctl: setting key \"$name\": Invalid argument" >&2
      exit 255
      ;;
  esac
  printf '%s\n' "$value" | tr ' ' '\t' >"$all/$name"
elif [ -n "$only" ]; then
  cat "$all/$name"
else
  echo "$name = $(cat "$all/$name")"
fi
