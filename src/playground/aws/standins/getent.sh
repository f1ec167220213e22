#!/bin/sh
# passwd, shadow and group of the node.
file=$ROOT/etc/$1
[ -f "$file" ] || { echo "Unknown database: $1" >&2; exit 1; }
[ $# -gt 1 ] || { cat "$file"; exit 0; }
grep -e "^$2:" "$file" || exit 2
