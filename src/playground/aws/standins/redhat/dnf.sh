#!/bin/sh
# check-update, updateinfo list, check-release-update and clean, from the node's updates: kind, name, now, next,
# repository. A dead mirror hangs.
case " $* " in
  *" clean "*)
    if [ ! -f "$ROOT/.node/cleaned" ]; then echo 331200 >"$ROOT/.node/cleaned"; fi
    exit 0
    ;;
esac
if [ -f "$ROOT/.node/slow" ]; then sleep 900; fi
case " $* " in
  *" check-update "*)
    [ -s "$ROOT/.node/updates" ] || exit 0
    echo
    awk '{ printf "%-40s %-28s %s\n", $2 ".x86_64", $4, $5 }' "$ROOT/.node/updates"
    exit 100
    ;;
  *" updateinfo list "*) awk '$1 == "security" { print "ADVISORY-2026:1107 Important/Sec. " $2 "-" $4 ".x86_64" }' "$ROOT/.node/updates" ;;
esac
