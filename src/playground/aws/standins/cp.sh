# cp for the files of this node. The real one also sets modes and times, of folders outside the node, too, and no rule of
# the kernel's confinement governs that. Copies get the usual mode.
recursive=
failed=0
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    --recursive | --archive) recursive=1 ;;
    --preserve* | --force) ;;
    --*) echo "cp: unrecognized option '$1'" >&2; exit 1 ;;
    -?*)
      case ${1#-} in
        *[!prRaf]*) echo "cp: invalid option -- '${1#-}'" >&2; exit 1 ;;
        *[rRa]*) recursive=1 ;;
      esac ;;
    *) break ;;
  esac
  shift
done
copy() {
  if [ -d "$1" ]; then
    if [ -z "$recursive" ]; then
      echo "cp: -r not specified; omitting directory '$1'" >&2
      return 1
    fi
    [ -d "$2" ] || mkdir -- "$2" || return 1
    for entry in "$1"/* "$1"/.[!.]*; do
      if [ -e "$entry" ]; then copy "$entry" "$2/${entry##*/}" || failed=1; fi
    done
  elif [ -e "$1" ]; then
    cat <"$1" >"$2"
  else
    echo "cp: cannot stat '$1': No such file or directory" >&2
    return 1
  fi
}
if [ $# -lt 2 ]; then
  echo "cp: missing file operand" >&2
  exit 1
fi
for target in "$@"; do :; done
if [ $# -gt 2 ] && [ ! -d "$target" ]; then
  echo "cp: target '$target' is not a directory" >&2
  exit 1
fi
while [ $# -gt 1 ]; do
  name=${1%/}
  into=$target
  if [ -d "$target" ]; then into=$target/${name##*/}; fi
  copy "$1" "$into" || failed=1
  shift
done
exit $failed
