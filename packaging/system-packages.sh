#!/bin/sh
# Usage: system-packages.sh COMMAND=PACKAGE...
# Installs with apt the packages whose commands are missing, if it may; otherwise it says what will
# be skipped and how to install it. It never fails: the tests skip what is missing.
set -u

missing=
for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    # shellcheck disable=SC2086 # the names are meant to be split
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
        --no-install-recommends $missing; } >/dev/null 2>&1 && exit 0
fi
echo "tests that need$missing will be skipped; to run them: sudo apt install$missing"
