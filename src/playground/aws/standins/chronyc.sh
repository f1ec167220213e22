#!/bin/sh
# tracking: a clock that is in step follows Amazon's time service.
if [ "$(cat "$ROOT/.node/clock")" = yes ]; then
  echo "Reference ID    : A9FEA97B (169.254.169.123)"
  echo "Stratum         : 4"
  echo "System time     : 0.000001262 seconds slow of NTP time"
  echo "Leap status     : Normal"
else
  echo "Reference ID    : 00000000 ()"
  echo "Stratum         : 0"
  echo "System time     : 0.000000000 seconds fast of NTP time"
  echo "Leap status     : Not synchronised"
fi
