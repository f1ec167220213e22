#!/bin/sh
# The kernel of the node's distribution.
name=$(cat "$ROOT/etc/hostname") release=$(cat "$ROOT/.node/release")
case $1 in
  -r) echo "$release" ;;
  -n) echo "$name" ;;
  -m | -p | -i) echo x86_64 ;;
  -a) echo "Linux $name $release #1 SMP PREEMPT_DYNAMIC x86_64 x86_64 x86_64 GNU/Linux" ;;
  *) echo Linux ;;
esac
