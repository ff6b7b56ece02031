#!/bin/sh
# Usage: build.sh FOLDER
# Makes the package truyvet-agent for this machine's architecture in FOLDER: what install-agent
# installs, for a machine without a network. It needs no root. The libraries come with their locked
# hashes. Their compiled parts are for one version of Python, so the package depends on that one,
# and an upgrade of the system to another needs the package made there.
set -eu
umask 022

fail() {
    echo "$1" >&2
    exit 1
}

mkdir -p "$1"
into=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
place=usr/lib/truyvet-agent
command -v dpkg-deb >/dev/null || fail 'dpkg-deb is missing: make the package on Debian or Raspberry Pi OS'
/usr/bin/python3 -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' ||
    fail 'the package is for the system'"'"'s Python, 3.11 to 3.14: sudo apt install python3 python3-venv'
minor=$(/usr/bin/python3 -c 'import sys; print(sys.version_info[1])')
architecture=$(dpkg --print-architecture)
# The name and the version of [project]; a package for a later Python replaces one for an earlier.
project() { sed -n '/^\[project\]$/,/^$/s/^'"$1"' = "\(.*\)"$/\1/p' pyproject.toml; }
name=$(project name)-agent
version=$(project version)+py3.$minor
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
root=$work/root
chmod 755 "$work"

# The part of the lock whose lines match a pattern, or with -v do not. For 32-bit ARM the index has
# few wheels; Raspberry Pi OS takes its own, whose hashes are not in the lock.
locked() {
    awk -v inverse="$2" -v pattern="$1" '/^[^ ]/ { takes = ($0 ~ pattern) != (inverse == "-v") } takes' \
        packaging/raspberry-pi/requirements.lock |
        case $architecture in
        arm*) sed '/^ *--hash=/d; s/ \\$//' ;;
        *) cat ;;
        esac
}

installs() {
    case $architecture in
    arm*) "$@" ;;
    *) "$@" --require-hashes ;;
    esac
}

libraries() {
    locked '^(editables|hatchling|packaging|pathspec|pluggy|trove-classifiers)==' '' >"$work/tools.lock"
    locked '^(editables|hatchling|pathspec|pip|trove-classifiers)==' -v >"$work/libraries.lock"
    /usr/bin/python3 -m venv "$work/tools"
    pip="$work/tools/bin/python -m pip --disable-pip-version-check --quiet"
    # shellcheck disable=SC2086 # the words are meant to be split
    {
        installs $pip install --no-deps --requirement "$work/tools.lock"
        $pip wheel --no-deps --no-build-isolation --wheel-dir "$work" .
        /usr/bin/python3 -m venv --without-pip "$root/$place"
        installs $pip --python "$root/$place/bin/python" install --no-compile --no-deps --requirement "$work/libraries.lock"
        $pip --python "$root/$place/bin/python" install --no-compile --no-deps "$work"/truyvet-*.whl
    }
    # Nothing may name the folder that it was made in.
    sed -i '/^command = /d' "$root/$place/pyvenv.cfg"
    find "$root/$place/bin" -type f -delete
    rm -rf "$root/$place/include" "$root/$place/share" "$root/$place"/lib/python3.*/site-packages/truyvet-*/direct_url.json
    find "$root/$place/lib" -type f -exec chmod a-x {} +
    # The lists of files end at that folder too.
    sed -i '\,^\.\./\.\./\.\./,d; /direct_url/d' "$root/$place"/lib/python3.*/site-packages/*.dist-info/RECORD
    printf '%s\n' "#!/$place/bin/python" 'import sys' 'from tracing_core.cli import main' \
        'sys.exit(main())' >"$root/$place/bin/truyvet"
    chmod 755 "$root/$place/bin/truyvet"
    ! grep -rIl "$work" "$root" || fail 'a file names the folder that it was made in'
}

# A file of packaging/ in the package, naming the package's place.
places() {
    mkdir -p "$root/$(dirname "$3")"
    sed "s,/opt/truyvet/bin,/$place/bin,g; s,/etc/sysusers.d,/usr/lib/sysusers.d,g" "packaging/$2" >"$root/$3"
    chmod "$1" "$root/$3"
}

files() {
    for unit in truyvet-agent.service truyvet-agent-page.service truyvet-agent-page.socket; do
        places 644 raspberry-pi/$unit usr/lib/systemd/system/$unit
    done
    # Every system with such a Python has a new enough kernel. /etc/systemd/system overrides it.
    places 644 raspberry-pi/net-admin.conf usr/lib/systemd/system/truyvet-agent.service.d/net-admin.conf
    places 644 raspberry-pi/truyvet-agent.sysusers usr/lib/sysusers.d/truyvet-agent.conf
    places 755 raspberry-pi/truyvet-agent usr/sbin/truyvet-agent
    places 644 deb/copyright usr/share/doc/$name/copyright
    places 644 deb/overrides usr/share/lintian/overrides/$name
    {
        printf '%s (%s) unstable; urgency=medium\n\n  * CHANGELOG.md tells what changed.\n\n' "$name" "$version"
        printf ' -- The truyvet developers <truyvet@localhost>  %s\n' "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
    } | gzip -9n >"$root/usr/share/doc/$name/changelog.gz"
    for script in preinst postinst prerm postrm; do
        places 755 deb/$script DEBIAN/$script
    done
    cat >"$root/DEBIAN/control" <<END
Package: $name
Version: $version
Architecture: $architecture
Maintainer: The truyvet developers <truyvet@localhost>
Section: net
Priority: optional
Installed-Size: $(du -sk --apparent-size "$root" | cut -f 1)
Depends: ca-certificates, init-system-helpers (>= 1.54), libc6, libstdc++6, python3 (>= 3.$minor~), python3 (<< 3.$((minor + 1))~), systemd
Recommends: bluez
Description: Bluetooth contact tracing that stays on this device
 Sends and records random identifiers over Bluetooth LE, as a service of its
 own user. When a person who was near tests positive and a health authority
 publishes that person's keys, this device finds out for itself.
 .
 It comes with its Python libraries and needs no network to be installed.
END
    (cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z |
        xargs -0 md5sum) >"$root/DEBIAN/md5sums"
}

libraries
files
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
deb=$into/${name}_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$work/made.deb" >/dev/null
mv "$work/made.deb" "$deb"
echo "$deb"
