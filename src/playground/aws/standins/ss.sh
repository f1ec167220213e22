#!/bin/sh
# What listens with -l and -u, every TCP socket with -a; otherwise the short table of what listens.
case " $* " in
  *" -lntup "* | *" -tulpn "* | *" -lntu "*) cat "$ROOT/.node/listening" ;;
  *" -tan "* | *" -ant "*) cat "$ROOT/.node/connections" ;;
  *) cat "$ROOT/.node/ss" ;;
esac
