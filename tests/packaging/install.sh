#!/bin/bash
# Usage: tests/packaging/install.sh [refusals] [script] [package]
#
# Tries packaging/install-agent and the package of `make deb` in this root, as root: what they
# refuse, install, survive, upgrade and remove. `make test-install` runs it in fresh roots of Debian.
# It installs and removes packages, so it refuses a machine that was booted: what only a running
# systemd can do is not tried here.
set -euo pipefail

[ ! -d /run/systemd/system ] || { echo 'this machine is in use: make test-install' >&2; exit 2; }
cd "$(dirname "$0")/../.."
install=packaging/install-agent
data=/var/lib/truyvet-agent
key=/etc/truyvet/agent-key
wants=/etc/systemd/system/multi-user.target.wants/truyvet-agent.service

failed() {
    echo "FAILED: $*" >&2
    exit 1
}

# The exit code of a command, and words among what it says.
expect() {
    local code=$1 words=$2 got=0 said
    shift 2
    said=$("$@" 2>&1 </dev/null) || got=$?
    [ "$got" = "$code" ] || failed "$* ended with $got, not $code: $said"
    [[ $said == *"$words"* ]] || failed "$* did not say '$words': $said"
    echo "  $code: $*"
}

is() { "$@" || failed "$*"; }

is_gone() {
    local path
    for path in "$@"; do
        if [ -e "$path" ] || [ -L "$path" ]; then failed "$path is still there"; fi
    done
}

packages() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@" >/tmp/apt.log 2>&1 </dev/null ||
        { cat /tmp/apt.log; failed "apt-get $*"; }
}

refusals() {
    echo '== what it refuses'
    expect 2 'unknown option --jion' $install --jion x
    expect 2 'không có tùy chọn --jion' $install --jion --lang vi
    expect 2 '--erase only goes with --uninstall' $install --erase
    expect 2 '--lang is vi or en, not fr' $install --lang fr
    expect 2 '--join needs a value' $install --join
    expect 0 '--uninstall' $install --help
    chmod o+rx "$HOME"
    expect 1 'this needs root: sudo' runuser -u owner -- $install
    expect 1 'systemd is missing' $install
    packages update
    packages install --no-install-recommends systemd
    dpkg --force-depends -r "$(python3 -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >/dev/null 2>&1
    expect 1 'missing: python3-venv bluez: sudo apt install python3-venv bluez' $install
    packages install --fix-broken
    packages install --no-install-recommends python3-venv bluez
    mount -t tmpfs -o size=100m none /opt
    expect 1 '/opt has 100 MB left' $install
    umount /opt
    install -m 644 packaging/server/truyvet-server.service /etc/systemd/system/
    expect 1 'a key server uses /opt/truyvet' $install
    rm /etc/systemd/system/truyvet-server.service
    expect 0 'nothing is installed here' $install --uninstall
    is_gone /opt/truyvet /etc/truyvet $wants
}

# Becomes the program as its service runs it: its user, its key, no capability.
as_service() {
    install -d -m 700 -o truyvet-agent -g truyvet-agent $data
    install -d -m 700 -o truyvet-agent /run/credential
    install -m 400 -o truyvet-agent $key /run/credential/agent-key
    exec env -i LANG=C.UTF-8 TRUYVET_HOME=$data CREDENTIALS_DIRECTORY=/run/credential "${before[@]}" \
        setpriv --reuid truyvet-agent --regid truyvet-agent --clear-groups --no-new-privs \
        --inh-caps=-all --bounding-set=-all "$program/truyvet" agent "$@"
}

rings() {
    "$program/python" -IS -c '
import socket
bell = socket.socket(socket.AF_UNIX)
bell.settimeout(60)
bell.connect("/run/bell")
print(bell.makefile("rb").read().decode())' | grep -o 'http:[^ ]*'
}

works() {
    program=$1 units=$2
    echo "== the units in $units, and their commands as their user"
    local before=() name page first second
    for name in truyvet-agent.service truyvet-agent-page.service truyvet-agent-page.socket; do
        expect 0 '' systemd-analyze verify --man=no "$units/$name"
    done
    expect 0 'AmbientCapabilities=CAP_NET_ADMIN' cat $units/truyvet-agent.service.d/net-admin.conf
    is test -L $wants
    is test -L /etc/systemd/system/sockets.target.wants/truyvet-agent-page.socket
    is test "$(stat -c '%a %U %s' $key)" = '600 root 32'
    is test "$(stat -c %a /etc/truyvet)" = 700
    is grep -q '^truyvet-agent:' /etc/passwd
    # It has joined nothing and has never run, which the owner must know: 1.
    expect 1 'truyvet agent' as_service status
    expect 1 'mgmt:' as_service self-test
    before=(systemd-socket-activate --listen=/run/bell)
    for name in LANG TRUYVET_HOME CREDENTIALS_DIRECTORY; do before+=("--setenv=$name"); done
    as_service page --no-open >/tmp/page.log 2>&1 &
    page=$!
    until [ -S /run/bell ]; do sleep 0.1; done
    first=$(rings) second=$(rings)
    [[ $first =~ ^http://127\.0\.0\.1:[0-9]+/#[A-Za-z0-9_-]{22,}$ ]] || failed "no link: $first"
    is test "$first" != "$second"
    is test "${first%%#*}" = "${second%%#*}"
    expect 0 '<title>' "$program/python" -c "import urllib.request as r; print(r.urlopen('${first%%#*}').read().decode())"
    kill $page
    wait $page || failed "the page ended with $?: $(cat /tmp/page.log)"
    ! grep -q '#' /tmp/page.log || failed 'a link is in the log'
    rm -rf /run/credential /run/bell
}

script() {
    echo '== install-agent'
    expect 0 'sudo truyvet-agent page' $install --yes
    works /opt/truyvet/bin /etc/systemd/system
    local old
    old=$(sha256sum $key)
    echo 'lang = "vi"' >$data/agent.toml
    rm /etc/systemd/system/truyvet-agent.service.d/net-admin.conf
    systemctl --quiet disable truyvet-agent.service
    echo '== again: an upgrade keeps the key, the data and what the owner chose'
    expect 1 'đã cài truyvet' $install --yes --lang vi --join https://keys.example.org#00
    is test "$(sha256sum $key)" = "$old"
    is test -e $data/agent.toml
    is grep -qx TRUYVET_LANG=vi /etc/truyvet/agent.env
    is_gone $wants /etc/systemd/system/truyvet-agent.service.d/net-admin.conf
    echo '== killed at six moments, then run again'
    local seconds process
    for seconds in 0.2 1 4 8 14 22; do
        rm -f /etc/truyvet/installed
        setsid $install --yes >/dev/null 2>&1 </dev/null &
        process=$!
        sleep $seconds
        kill -KILL -- -$process 2>/dev/null || true
        wait $process 2>/dev/null || true
    done
    expect 0 'kept the key' $install --yes
    is test "$(sha256sum $key)" = "$old"
    is test "$(find /opt -mindepth 1 -maxdepth 1 | wc -l)" = 2
    works /opt/truyvet/bin /etc/systemd/system
    echo '== and removed'
    expect 1 'nothing was removed' $install --uninstall
    is test -x /opt/truyvet/bin/truyvet
    expect 0 "Left: $data /etc/truyvet user:truyvet-agent" $install --uninstall --yes
    is_gone /opt/truyvet $wants /etc/systemd/system/truyvet-agent.service /usr/local/sbin/truyvet-agent
    is test "$(sha256sum $key)" = "$old"
    is test -z "$(ls /opt)"
}

package() {
    echo '== the package, without a network'
    local deb old
    deb=$(packaging/deb/build.sh /tmp/deb | tail -n 1)
    is test -s "$deb"
    old=$(sha256sum $key)
    mkdir -p /usr/local/sbin
    touch /usr/local/sbin/truyvet-agent
    expect 1 'install-agent --uninstall' unshare --net dpkg -i "$deb"
    rm /usr/local/sbin/truyvet-agent
    expect 0 'truyvet-agent page' unshare --net dpkg -i "$deb"
    is test "$(sha256sum $key)" = "$old"
    works /usr/lib/truyvet-agent/bin /usr/lib/systemd/system
    expect 1 'the package truyvet-agent is installed' $install --yes
    expect 1 'sudo apt remove truyvet-agent' $install --uninstall --yes
    systemctl --quiet disable truyvet-agent.service
    expect 0 '' unshare --net dpkg -i "$deb"
    is_gone $wants
    expect 0 '' dpkg --verify truyvet-agent
    expect 0 'apt purge erases' dpkg -r truyvet-agent
    expect 0 'truyvet-agent page' unshare --net dpkg -i "$deb"
    is test -L $wants
    expect 0 'apt purge erases' dpkg -r truyvet-agent
    is_gone $wants
    is_gone /usr/lib/truyvet-agent /usr/sbin/truyvet-agent
    is test "$(sha256sum $key)" = "$old"
    expect 0 '' dpkg -P truyvet-agent
    is_gone $data /etc/truyvet
    echo '== a package that goes leaves data that the script erases'
    expect 0 '' unshare --net dpkg -i "$deb"
    expect 0 '' dpkg -r truyvet-agent
    expect 0 'Nothing is left' $install --uninstall --erase --yes
    is_gone $data /etc/truyvet
}

[ $# -gt 0 ] || set -- refusals script package
for part in "$@"; do $part; done
echo 'all of it held'
