#!/bin/sh
# Table: file system, type, 1K blocks, used, available, inodes, inodes used, mount point.
human=0 inodes=0 types=0 posix=0 paths= output=
while [ $# -gt 0 ]; do
  case $1 in
    --output=*) output=${1#--output=} ;;
    --human-readable) human=1 ;;
    --inodes) inodes=1 ;;
    --portability) posix=1 ;;
    --print-type) types=1 ;;
    --exclude-type | --type | -x | -t) shift ;;
    --*) ;;
    -*)
      case $1 in *[hH]*) human=1 ;; esac
      case $1 in *i*) inodes=1 ;; esac
      case $1 in *T*) types=1 ;; esac
      case $1 in *P*) posix=1 ;; esac
      case $1 in -*[xt]) shift ;; esac
      ;;
    *) paths="$paths ${1#"$ROOT"}" ;;
  esac
  shift
done
# What scripts have cleaned away, and the rotated logs (KiB, path) that are gone, make room on /var.
freed=0
for cleaned in "$ROOT/.node/cleaned" "$ROOT/.node/vacuumed"; do
  if [ -f "$cleaned" ]; then freed=$((freed + $(cat "$cleaned"))); fi
done
if [ -f "$ROOT/.node/rotated" ]; then
  while read -r kb path; do
    if [ ! -e "$ROOT$path" ]; then freed=$((freed + kb)); fi
  done <"$ROOT/.node/rotated"
fi
awk -v freed="$freed" -v human="$human" -v inodes="$inodes" -v types="$types" -v posix="$posix" -v paths="$paths" -v output="$output" '
  function size(kb,  unit, units, n) {
    if (!human) return kb
    n = split("K M G T", units, " "); unit = 1
    while (kb >= 1024 && unit < n) { kb /= 1024; unit++ }
    return (kb < 10 ? sprintf("%.1f", kb) : sprintf("%d", kb + 0.5)) units[unit]
  }
  { fs[NR] = $1; ty[NR] = $2; all[NR] = $3; used[NR] = $4; free[NR] = $5; if ($8 == "/var") { used[NR] -= freed; free[NR] += freed }; iall[NR] = $6; iused[NR] = $7; on[NR] = $8 }
  END {
    count = split(paths, asked, " ")
    for (i = 1; i <= count; i++) {
      p = asked[i]; if (substr(p, 1, 1) != "/") p = "/" p
      best = 0
      for (m = 1; m <= NR; m++)
        if (on[m] == "/" || p == on[m] || index(p, on[m] "/") == 1)
          if (!best || length(on[m]) > length(on[best])) best = m
      want[best] = 1
    }
    if (output != "") {
      n = split(output, cols, ",")
      for (m = 0; m <= NR; m++) {
        if (m && count && !want[m]) continue
        line = ""
        for (c = 1; c <= n; c++) {
          k = cols[c]
          v = k == "source" ? (m ? fs[m] : "Filesystem") : k == "target" ? (m ? on[m] : "Mounted on") : k == "fstype" ? (m ? ty[m] : "Type") \
            : k == "size" ? (m ? size(all[m]) : "1K-blocks") : k == "used" ? (m ? size(used[m]) : "Used") : k == "avail" ? (m ? size(free[m]) : "Avail") \
            : k == "pcent" ? (m ? int(used[m] * 100 / (used[m] + free[m]) + 0.999) "%" : "Use%") : k == "ipcent" ? (m ? int(iused[m] * 100 / iall[m] + 0.999) "%" : "IUse%") : ""
          line = line (c > 1 ? " " : "") v
        }
        print line
      }
      exit
    }
    kind = types ? sprintf(" %-8s", "Type") : ""
    if (inodes) printf "%-20s%s %10s %10s %10s %5s %s\n", "Filesystem", kind, "Inodes", "IUsed", "IFree", "IUse%", "Mounted on"
    else if (human) printf "%-20s%s %5s %5s %5s %4s %s\n", "Filesystem", kind, "Size", "Used", "Avail", "Use%", "Mounted on"
    else printf "%-20s%s %12s %10s %10s %8s %s\n", "Filesystem", kind, (posix ? "1024-blocks" : "1K-blocks"), "Used", "Available", (posix ? "Capacity" : "Use%"), "Mounted on"
    for (m = 1; m <= NR; m++) {
      if (count && !want[m]) continue
      kind = types ? sprintf(" %-8s", ty[m]) : ""
      if (inodes) printf "%-20s%s %10d %10d %10d %4d%% %s\n", fs[m], kind, iall[m], iused[m], iall[m] - iused[m], int(iused[m] * 100 / iall[m] + 0.999), on[m]
      else if (human) printf "%-20s%s %5s %5s %5s %3d%% %s\n", fs[m], kind, size(all[m]), size(used[m]), size(free[m]), int(used[m] * 100 / (used[m] + free[m]) + 0.999), on[m]
      else printf "%-20s%s %12d %10d %10d %7d%% %s\n", fs[m], kind, all[m], used[m], free[m], int(used[m] * 100 / (used[m] + free[m]) + 0.999), on[m]
    }
  }' "$ROOT/.node/df"
