#!/bin/sh
# Usage: set-up.sh VENV
# Makes the virtual environment, with the packages that requirements.lock names and this project. It
# uses PYTHON if that is set, else python3, else any other supported version.
set -eu

fail() {
    echo "$1" >&2
    exit 1
}

supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

command -v git >/dev/null || fail 'git is missing: sudo apt install git'
python=
for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if supported "$name"; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    found=${PYTHON:-python3}
    command -v "$found" >/dev/null ||
        fail "$found is missing: sudo apt install python3 python3-venv"
    fail "$found is $("$found" -V 2>&1), not 3.11 to 3.14: install one and run make PYTHON=python3.13"
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail 'python3-venv is missing: sudo apt install python3-venv'

echo "setting up $1 with $("$python" -V); this takes a minute or two"
[ -x "$1/bin/python" ] || "$python" -m venv --clear "$1"
pip="$1/bin/python -m pip --disable-pip-version-check --quiet"
case $(uname -m) in
arm*)
    # For 32-bit ARM the index has few wheels. Raspberry Pi OS takes its own, built from the same
    # sources, whose hashes are not in the lock.
    sed '/^ *--hash=/d; s/ \\$//' requirements.lock >"$1/requirements.txt"
    $pip install --requirement "$1/requirements.txt"
    ;;
*) $pip install --require-hashes --requirement requirements.lock ;;
esac
# What builds the project is in the lock too.
$pip install --no-deps --no-build-isolation --editable .
# The mark is written last, so an interrupted set-up runs again.
touch "$1/installed"
