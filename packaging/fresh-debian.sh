#!/bin/bash
# Usage: packaging/fresh-debian.sh SUITE [COMMAND...]
#
# Tests the README's commands on a Debian that has only what the README asks for: makes a minimal
# root of SUITE (bookworm, trixie, forky) with mmdebstrap, clones what is committed here into it, and runs
# each COMMAND (`make demo` and `make test` by default) there as an ordinary user, or as root with
# AS_ROOT=1. Must itself run as root. This machine's pip settings are passed on when a COMMAND runs,
# and stored nowhere else. With OLD_MIRROR=1 the suite may come from a mirror that is no longer
# updated: its signature is valid, but its date has passed.
set -euo pipefail

suite=${1:?usage: $0 SUITE [COMMAND...]}
shift
[ $# -gt 0 ] || set -- 'make demo' 'make test'
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo 'only root can make a root file system: sudo' "$0" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo 'mmdebstrap is missing: apt install mmdebstrap' >&2; exit 1; }

root=$(mktemp -d "${TMPDIR:-/tmp}/fresh-$suite.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
packages=python3,python3-venv,git,make,ca-certificates
dated=(${OLD_MIRROR:+"--aptopt=Acquire::Check-Valid-Until \"false\""})
mmdebstrap --quiet "${dated[@]}" --variant=minbase --include="$packages" "$suite" "$root"

# The certificates that this machine trusts and its pip settings must apply there too.
[ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -L /etc/hosts "$root/etc/hosts"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
configured=$(python3 -m pip config debug | sed -n 's/^ *\(.*\), exists: True$/\1/p' | tail -1)
[ -z "$configured" ] || cp "$configured" "$root/etc/pip.conf"
handed_on=()
while IFS= read -r name; do
    # A path that exists only here is useless there.
    case ${!name} in /*) [ -e "$root${!name}" ] || continue ;; esac
    handed_on+=("$name=${!name}")
done < <(compgen -e | grep -E '^(PIP_|UV_|https?_proxy$|no_proxy$|HTTPS?_PROXY$|NO_PROXY$|SSL_CERT_FILE$|REQUESTS_CA_BUNDLE$)' || true)

chroot "$root" useradd --create-home owner
user=${AS_ROOT:+root}
user=${user:-owner}
home=$(chroot "$root" getent passwd "$user" | cut -d: -f6)
git clone --quiet --no-hardlinks . "$root$home/truyvet"
chroot "$root" chown -R "$user" "$home"

for command in "$@"; do
    echo "== $suite, as $user: $command"
    # A mount name space of its own, so that no mount outlives the command.
    unshare --mount --pid --fork --kill-child bash -euc '
        mount -t proc proc "$1/proc"
        mount --rbind /dev "$1/dev"
        exec chroot --userspec="$2" "$1" env -i "${@:5}" HOME="$3" USER="$2" \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
            bash -c "cd ~/truyvet && $4"
    ' -- "$root" "$user" "$home" "$command" "${handed_on[@]}" ||
        { echo "== $suite: $command failed (exit $?)" >&2; exit 1; }
    echo "== $suite: $command passed"
done
