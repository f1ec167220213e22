#!/bin/sh
# dpkg-query -W [-f FORMAT] NAME. Table: name, version, architecture.
format='${Package}\t${Version}\n' name=
while [ $# -gt 0 ]; do
  case $1 in
    -f) format=$2; shift ;;
    -f=*) format=${1#-f=} ;;
    --showformat=*) format=${1#--showformat=} ;;
    -*) ;;
    *) name=$1 ;;
  esac
  shift
done
found=$(grep -e "^$name " "$ROOT/.node/packages") || { echo "dpkg-query: no packages found matching $name" >&2; exit 1; }
set -- $found
text=$(printf '%s' "$format" | sed -e "s/\${Package}/$1/g; s/\${Version}/$2/g; s/\${Architecture}/$3/g; s/\${db:Status-Status}/installed/g; s/\${db:Status-Abbrev}/ii /g")
printf "$text"
