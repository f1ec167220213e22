#!/bin/sh
# The node's name, short with -s, its address with -I.
name=$(cat "$ROOT/etc/hostname")
case $1 in
  -s | --short) echo "${name%%.*}" ;;
  -I | -i | --all-ip-addresses) cat "$ROOT/.node/address" ;;
  *) echo "$name" ;;
esac
