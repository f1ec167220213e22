#!/bin/sh
# Whether the clock is in step is the node's own affair; the time is that of this host.
now=$(date -u '+%a %Y-%m-%d %H:%M:%S')
echo "               Local time: $now UTC"
echo "           Universal time: $now UTC"
echo "                 RTC time: $now"
echo "                Time zone: Etc/UTC (UTC, +0000)"
echo "System clock synchronized: $(cat "$ROOT/.node/clock")"
echo "              NTP service: active"
echo "          RTC in local TZ: no"
