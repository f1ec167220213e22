#!/bin/sh
# An Amazon Linux 2023 kernel.
name=$(cat "$ROOT/etc/hostname")
case $1 in
  -r) echo 6.1.141-155.222.amzn2023.x86_64 ;;
  -n) echo "$name" ;;
  -m | -p | -i) echo x86_64 ;;
  -a) echo "Linux $name 6.1.141-155.222.amzn2023.x86_64 #1 SMP PREEMPT_DYNAMIC x86_64 x86_64 x86_64 GNU/Linux" ;;
  *) echo Linux ;;
esac
