#!/bin/sh
# x509 on the node's certificates, which say in plain words when they end: `ends SECONDS TEXT`, `subject TEXT`.
file= ahead= enddate= subject=
while [ $# -gt 0 ]; do
  case $1 in
    version) echo "OpenSSL 3.0.8 7 Feb 2023 (Library: OpenSSL 3.0.8 7 Feb 2023)"; exit 0 ;;
    -in) file=$2; shift ;;
    -checkend) ahead=$2; shift ;;
    -enddate) enddate=yes ;;
    -subject) subject=yes ;;
  esac
  shift
done
if ! grep -q '^ends ' "$file" 2>/dev/null; then
  echo "Could not open file or uri for loading certificate from $file" >&2
  exit 1
fi
if [ -n "$enddate" ]; then sed -n 's/^ends [0-9]* /notAfter=/p' "$file"; fi
if [ -n "$subject" ]; then sed -n 's/^subject /subject=/p' "$file"; fi
if [ -n "$ahead" ]; then
  ends=$(sed -n 's/^ends \([0-9]*\) .*/\1/p' "$file")
  if [ "$ends" -gt "$(($(date +%s) + ahead))" ]; then
    echo "Certificate will not expire"
  else
    echo "Certificate will expire"
    exit 1
  fi
fi
