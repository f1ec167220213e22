#!/bin/sh
# root, or a user of the node.
flag= user=root
for word in "$@"; do case $word in -*) flag=$word ;; *) user=$word ;; esac; done
awk -F: -v user="$user" -v flag="$flag" '
  $1 == user {
    found = 1
    if (flag == "-u") print $3
    else if (flag == "-g") print $4
    else if (flag ~ /n/) print user
    else printf "uid=%s(%s) gid=%s(%s) groups=%s(%s)\n", $3, user, $4, user, $4, user
  }
  END { exit !found }' "$ROOT/etc/passwd" || { echo "id: '$user': no such user" >&2; exit 1; }
