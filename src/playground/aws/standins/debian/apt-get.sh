#!/bin/sh
# -s dist-upgrade from the node's updates (kind, name, now, next, origin), clean. A dead mirror hangs.
if [ -f "$ROOT/.node/slow" ]; then sleep 900; fi
case " $* " in
  *" clean "*)
    if [ ! -f "$ROOT/.node/cleaned" ]; then echo 331200 >"$ROOT/.node/cleaned"; fi
    exit 0
    ;;
esac
echo "Reading package lists..."
echo "Building dependency tree..."
echo "Reading state information..."
echo "Calculating upgrade..."
awk '
  { inst = inst "Inst " $2 " [" $3 "] (" $4 " " ($1 == "security" ? "Debian-Security:12/stable-security" : "Debian:12.11/stable") " [amd64])\n"; n++ }
  END { printf "%d upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n%s", n, inst }' "$ROOT/.node/updates"
