#!/bin/sh
# -eo COLUMNS from the table pid user pcpu pmem rss stat etime args; otherwise what `ps aux` would show.
columns=
while [ $# -gt 0 ]; do
  case $1 in
    -o | -eo | -Ao) columns=$2; shift ;;
  esac
  shift
done
if [ -z "$columns" ]; then
  cat "$ROOT/.node/ps"
  exit 0
fi
awk -v asked="$columns" '
  BEGIN {
    n = split(asked, column, ",")
    count = split("pid user pcpu pmem rss stat etime args", names, " ")
    split("PID USER %CPU %MEM RSS STAT ELAPSED COMMAND", heads, " ")
    split("7 -8 5 5 6 -4 11 0", widths, " ")
    for (i = 1; i <= count; i++) place[names[i]] = i
    for (i = 1; i <= n; i++) line = line sprintf("%" widths[place[column[i]]] "s", heads[place[column[i]]]) (i < n ? " " : "")
    print line
  }
  {
    rest = $8
    for (i = 9; i <= NF; i++) rest = rest " " $i
    line = ""
    for (i = 1; i <= n; i++) {
      at = place[column[i]]
      line = line (at == 8 ? rest : sprintf("%" widths[at] "s", $at)) (i < n ? " " : "")
    }
    print line
  }' "$ROOT/.node/processes"
