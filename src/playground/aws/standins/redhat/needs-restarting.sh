#!/bin/sh
# -r: 1 says that a reboot is due.
if [ -f "$ROOT/.node/reboot" ]; then
  echo "Core libraries or services have been updated since boot-up:"
  echo "  * kernel"
  echo
  echo "Reboot is required to fully utilize these updates."
  exit 1
fi
echo "No core libraries or services have been updated since boot-up."
echo "Reboot should not be necessary."
