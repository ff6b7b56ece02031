#!/bin/sh
# Usage: build.sh FOLDER
# Makes the virtual machine that tests/bluez/run.sh boots: Debian's kernel, bluetoothd and Python,
# and the libraries that requirements.lock names. It needs root once, and about a minute and a half.
set -eu

folder=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
suite=trixie
libraries='bleak bumble click cryptography dbus-fast httpx2 protobuf pyjwt sqlite-utils'

[ "$(id -u)" = 0 ] || { echo 'the virtual machine is built as root: sudo make test-bluez' >&2; exit 1; }

missing=
for pair in qemu-system-x86_64=qemu-system-x86 mmdebstrap=mmdebstrap mke2fs=e2fsprogs; do
    command -v "${pair%%=*}" >/dev/null || missing="$missing ${pair#*=}"
done
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086 # the names are meant to be split
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing
fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/building.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The libraries are chosen for the machine's Python, not for this one's.
platforms=
for platform in manylinux_2_34 manylinux_2_28 manylinux_2_17 manylinux2014; do
    platforms="$platforms --platform ${platform}_x86_64"
done
# Marks in the lock are read by this interpreter, so only the versions are taken from it.
sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1/p' "$here/requirements.lock" >"$work/versions"
duplicates=$(sed 's/==.*//' "$work/versions" | sort | uniq -d)
for name in $duplicates; do
    sed -i "/^$name==/d" "$work/versions"
done
# shellcheck disable=SC2086 # the names are meant to be split
"$here/.venv/bin/python" -m pip --disable-pip-version-check --quiet install \
    --target "$work/libraries" --python-version 3.13 --implementation cp --abi cp313 --abi abi3 \
    --abi none $platforms --only-binary=:all: --constraint "$work/versions" $libraries

mmdebstrap --quiet --variant=minbase --mode=root \
    --include=linux-image-amd64,bluez,dbus,python3,kmod,rfkill \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$work/root"
mv "$work/libraries" "$work/root/opt/py"
# What the machine does is on the share, so a change there builds nothing anew.
cat >"$work/root/init" <<'END'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
modprobe -a 9p 9pnet_virtio
mkdir -p /share
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share /share
exec sh /share/init
END
chmod 755 "$work/root/init"
chroot "$work/root" python3 -m compileall -q /opt/py || true
cp "$work/root"/boot/vmlinuz-* "$work/vmlinuz"
cp "$work/root"/boot/initrd.img-* "$work/initrd"
mke2fs -q -t ext4 -d "$work/root" "$work/disk.img" 1200M
for name in vmlinuz initrd disk.img; do
    mv "$work/$name" "$folder/$name"
done
