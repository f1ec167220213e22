#!/bin/sh
# rpm -q [--qf FORMAT] NAME, rpm -qa. Table: name, version-release, architecture.
format= names= all=0
while [ $# -gt 0 ]; do
  case $1 in
    --qf | --queryformat) format=$2; shift ;;
    --qf=* | --queryformat=*) format=${1#*=} ;;
    -*a*) all=1 ;;
    -*) ;;
    *) names="$names $1" ;;
  esac
  shift
done
show() {
  if [ -z "$format" ]; then echo "$1-$2.$3"; return; fi
  text=$(printf '%s' "$format" | sed -e "s/%{NAME}/$1/g; s/%{VERSION}/${2%%-*}/g; s/%{RELEASE}/${2#*-}/g; s/%{ARCH}/$3/g")
  printf "$text"
}
if [ "$all" = 1 ]; then
  while read -r name version arch; do show "$name" "$version" "$arch"; done <"$ROOT/.node/packages"
  exit 0
fi
status=0
for wanted in $names; do
  found=$(grep -e "^$wanted " "$ROOT/.node/packages") || { echo "package $wanted is not installed"; status=1; continue; }
  set -- $found
  show "$1" "$2" "$3"
done
exit "$status"
