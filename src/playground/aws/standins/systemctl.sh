#!/bin/sh
# One file for each unit in .node/units holds its state: active, failed or inactive. Starting and stopping changes it.
units=$ROOT/.node/units
verb= names= quiet=0 value=0 properties= failed_only=0 lines=5
while [ $# -gt 0 ]; do
  case $1 in
    -q | --quiet) quiet=1 ;;
    --value) value=1 ;;
    --failed | --state=failed) failed_only=1 ;;
    -p | --property) properties="$properties $2"; shift ;;
    --property=*) properties="$properties ${1#*=}" ;;
    -p?*) properties="$properties ${1#-p}" ;;
    -n | --lines | -t | --type | -o | --output) shift ;;
    --lines=*) lines=${1#*=} ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$1; else names="$names ${1%.service}"; fi ;;
  esac
  shift
done
[ -n "$verb" ] || verb=list-units
state() { if [ -f "$units/$1" ]; then cat "$units/$1"; else echo unknown; fi; }
sub() { case $1 in active) echo running ;; failed) echo failed ;; *) echo dead ;; esac; }
pid() { case $1 in chronyd) echo 690 ;; amazon-ssm-agent) echo 702 ;; sshd) echo 731 ;; crond) echo 744 ;; *) echo 812 ;; esac; }
say() { [ "$quiet" = 1 ] || echo "$1"; }
status=0
case $verb in
  is-active)
    status=3
    for unit in $names; do
      now=$(state "$unit")
      [ "$now" = unknown ] && now=inactive
      say "$now"
      [ "$now" = active ] && status=0
    done
    ;;
  is-failed)
    status=1
    for unit in $names; do
      now=$(state "$unit")
      [ "$now" = unknown ] && now=inactive
      say "$now"
      [ "$now" = failed ] && status=0
    done
    ;;
  is-enabled)
    for unit in $names; do
      if [ -f "$units/$unit" ]; then say enabled
      else echo "Failed to get unit file state for $unit.service: No such file or directory" >&2; status=1; fi
    done
    ;;
  start | restart | try-restart | reload | reload-or-restart | stop | reset-failed)
    for unit in $names; do
      if [ ! -f "$units/$unit" ]; then
        word=$verb
        [ "$verb" = try-restart ] && word=restart
        echo "Failed to $word $unit.service: Unit $unit.service not found." >&2
        status=5
        continue
      fi
      now=$(state "$unit")
      case $verb in
        stop | reset-failed) next=inactive ;;
        reload)
          next=$now
          if [ "$now" != active ]; then
            echo "$unit.service is not active, cannot reload." >&2
            status=1
          fi
          ;;
        try-restart) if [ "$now" = inactive ]; then next=inactive; else next=active; fi ;;
        *) next=active ;;
      esac
      echo "$next" >"$units/$unit"
      echo "$(date -u '+%b %d %H:%M:%S') $(cat "$ROOT/etc/hostname") systemd[1]: $verb of $unit.service: $next." >>"$ROOT/.node/journal/$unit"
    done
    ;;
  show)
    for unit in $names; do
      now=$(state "$unit")
      load=loaded main=$(pid "$unit") result=success code=0
      [ "$now" = unknown ] && now=inactive load=not-found
      [ "$now" = active ] || main=0
      [ "$now" = failed ] && result=exit-code code=1
      wanted=$(echo "${properties:- Id,LoadState,ActiveState,SubState,MainPID,Result,ExecMainStatus,NRestarts,UnitFileState}" | tr ',' ' ')
      for property in $wanted; do
        case $property in
          Id) got=$unit.service ;;
          LoadState) got=$load ;;
          ActiveState) got=$now ;;
          SubState) got=$(sub "$now") ;;
          MainPID) got=$main ;;
          Result) got=$result ;;
          ExecMainStatus) got=$code ;;
          NRestarts) if [ "$now" = failed ]; then got=5; else got=0; fi ;;
          UnitFileState) got=enabled ;;
          ActiveEnterTimestamp | StateChangeTimestamp) got=$(cat "$ROOT/.node/boot") ;;
          MemoryCurrent) got=48234496 ;;
          Description) got="The $unit service" ;;
          *) got= ;;
        esac
        if [ "$value" = 1 ]; then echo "$got"; else echo "$property=$got"; fi
      done
    done
    ;;
  status)
    for unit in $names; do
      now=$(state "$unit")
      if [ "$now" = unknown ]; then
        echo "Unit $unit.service could not be found." >&2
        status=4
        continue
      fi
      case $now in active) dot='*' ;; failed) dot=x status=3 ;; *) dot=o status=3 ;; esac
      echo "$dot $unit.service - The $unit service"
      echo "     Loaded: loaded (/usr/lib/systemd/system/$unit.service; enabled; preset: disabled)"
      case $now in
        active)
          echo "     Active: active (running) since $(cat "$ROOT/.node/boot")"
          echo "   Main PID: $(pid "$unit") ($unit)"
          ;;
        failed)
          echo "     Active: failed (Result: exit-code) since $(cat "$ROOT/.node/boot")"
          echo "    Process: $(pid "$unit") ExecStart=/usr/sbin/$unit (code=exited, status=1/FAILURE)"
          ;;
        *) echo "     Active: inactive (dead)" ;;
      esac
      [ "$lines" = 0 ] && continue
      echo
      tail -n "$lines" "$ROOT/.node/journal/$unit" 2>/dev/null
    done
    ;;
  list-units | list-unit-files)
    for file in "$units"/*; do
      unit=${file##*/} now=$(cat "$file")
      [ "$failed_only" = 1 ] && [ "$now" != failed ] && continue
      echo "$unit.service loaded $now $(sub "$now") The $unit service"
    done
    ;;
  is-system-running)
    if grep -qx failed "$units"/*; then echo degraded; status=1; else echo running; fi
    ;;
  enable | disable | daemon-reload) ;;
  *)
    echo "Unknown command verb $verb." >&2
    status=1
    ;;
esac
exit "$status"
