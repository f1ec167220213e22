# touch for the files of this node: makes those that are missing. The real one sets the times of any file of this host's
# user, and no rule of the kernel's confinement governs that; so times stay as they are.
create=1
failed=0
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    -c | --no-create) create= ;;
    -d | -t | -r | --date | --reference) shift ;;
    -*) ;;
    *) break ;;
  esac
  shift
done
if [ $# -eq 0 ]; then
  echo "touch: missing file operand" >&2
  exit 1
fi
for file in "$@"; do
  if [ -n "$create" ] && [ ! -e "$file" ]; then true >"$file" || failed=1; fi
done
exit $failed
