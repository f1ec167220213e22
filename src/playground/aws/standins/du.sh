#!/bin/sh
# Table: size in KiB, path. Paths are answered as they were asked, with or without $ROOT in front.
human=0 depth=99 unit=1 one=0 paths=
while [ $# -gt 0 ]; do
  case $1 in
    --max-depth=*) depth=${1#*=} ;;
    --max-depth | -d) depth=$2; shift ;;
    --summarize) depth=0 ;;
    --human-readable) human=1 ;;
    --one-file-system) one=1 ;;
    --exclude | -X | -t | -B) shift ;;
    --) ;;
    --*) ;;
    -d[0-9]*) depth=${1#-d} ;;
    -*)
      case $1 in *h*) human=1 ;; esac
      case $1 in *s*) depth=0 ;; esac
      case $1 in *x*) one=1 ;; esac
      case $1 in *m*) unit=1024 ;; esac
      case $1 in -*d) depth=$2; shift ;; esac
      ;;
    *) paths="$paths $1" ;;
  esac
  shift
done
[ -n "$paths" ] || paths=" ."
status=0
for path in $paths; do
  case $path in "$ROOT"*) prefix=$ROOT ;; *) prefix= ;; esac
  plain=${path#"$prefix"}
  [ "$plain" = . ] && plain=/
  awk -v asked="$plain" -v prefix="$prefix" -v depth="$depth" -v human="$human" -v unit="$unit" -v one="$one" '
    function size(kb,  u, units, n) {
      if (!human) return int((kb + unit - 1) / unit)
      n = split("K M G T", units, " "); u = 1
      while (kb >= 1024 && u < n) { kb /= 1024; u++ }
      return (kb < 10 ? sprintf("%.1f", kb) : sprintf("%d", kb + 0.5)) units[u]
    }
    BEGIN { if (asked != "/") sub(/\/+$/, "", asked); if (asked == "") asked = "/" }
    one && asked == "/" && $2 ~ /^\/var/ { next }
    {
      inside = asked == "/" ? substr($2, 2) : ($2 == asked ? "" : (index($2, asked "/") == 1 ? substr($2, length(asked) + 2) : "-"))
      if (inside == "-") next
      found = 1
      steps = inside == "" ? 0 : split(inside, parts, "/")
      if (steps <= depth) { print size($1) "\t" prefix $2 }
    }
    END { exit !found }
  ' "$ROOT/.node/du" || { echo "du: cannot access '$path': No such file or directory" >&2; status=1; }
done
exit "$status"
