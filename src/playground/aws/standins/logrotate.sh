#!/bin/sh
# -d FILE…: the rules are read and nothing is rotated. Two rules for one log are an error.
[ "$1" = -d ] || exit 0
shift
echo "warning: logrotate in debug mode does nothing except printing debug messages!" >&2
for file in "$@"; do
  echo "reading config file $file" >&2
  log=$(sed -n 's/^\(\/[^ ]*\) {$/\1/p' "$file" | head -n 1)
  for other in "$ROOT"/etc/logrotate.d/*; do
    if [ -n "$log" ] && [ "$other" != "$file" ] && [ "$other" != "${file%\~}" ] && grep -q -F -e "$log {" "$other"; then
      echo "error: $file:2 duplicate log entry for $log" >&2
      exit 1
    fi
  done
done
