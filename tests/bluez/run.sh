#!/bin/sh
# Usage: run.sh FOLDER [MODE...]
# Boots the virtual machine once a MODE, side by side, with this tree in it, and prints what was seen.
# Exits with 1 if anything did not hold. MODE is legacy or extended, the kind of controllers for
# tests/bluez/guest.py; measure; or, after the others, cut for tests/bluez/cut.py, which boots it
# many times.
set -eu

folder=$1
shift
[ $# -gt 0 ] || set -- legacy extended
cd "$(dirname "$0")/../.."
built=$(cat requirements.lock tests/bluez/build.sh | sha256sum)
if [ "$built" != "$(cat "$folder/built" 2>/dev/null)" ]; then
    tests/bluez/build.sh "$folder"
    echo "$built" >"$folder/built"
fi

prepare() {
    share=$folder/$1
    rm -rf "$share"
    mkdir -p "$share"
    # What the machine's commands are found by, as an installation would write it.
    mkdir -p "$share/truyvet.dist-info"
    printf 'Metadata-Version: 2.1\nName: truyvet\nVersion: 0\n' >"$share/truyvet.dist-info/METADATA"
    printf '[truyvet.commands]\nagent = ble_agent.app.cli:agent\n' \
        >"$share/truyvet.dist-info/entry_points.txt"
    tar -cf "$share/source.tar" --exclude=__pycache__ ble_agent matcher tracing_core \
        tests/bluez tests/ble_agent -C "$share" truyvet.dist-info
    cp tests/bluez/init "$share/init"
}

boot() {
    echo "tests.bluez.guest $1" >"$share/command"
    # Software emulation: nested virtualisation is seldom there, and does not boot everywhere.
    timeout 590 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1024 -smp 2 -nographic \
        -no-reboot -snapshot -net none -kernel "$folder/vmlinuz" -initrd "$folder/initrd" \
        -append 'root=/dev/vda rw console=ttyS0 quiet init=/init panic=-1' \
        -drive "file=$folder/disk.img,if=virtio,format=raw" \
        -virtfs "local,path=$share,mount_tag=share,security_model=none,multidevs=remap" \
        >"$share/console" 2>&1 </dev/null || true
}

cut() {
    echo tests.bluez.cut_guest >"$share/command"
    cut=0
    .venv/bin/python -m tests.bluez.cut "$folder" "$1" >"$folder/$1.said" 2>&1 || cut=$?
    mv "$folder/$1.said" "$share/output"
    echo $cut >"$share/status"
}

for mode in "$@"; do
    prepare "$mode"
    case $mode in
        cut*) ;;
        *) boot "$mode" & ;;
    esac
done
wait
for mode in "$@"; do
    share=$folder/$mode
    case $mode in
        cut*) cut "$mode" ;;
    esac
done

code=0
for mode in "$@"; do
    cat "$folder/$mode/output" 2>/dev/null || tail -n 20 "$folder/$mode/console"
    [ "$(cat "$folder/$mode/status" 2>/dev/null)" = 0 ] || code=1
done
exit $code
