"""What runs inside the virtual machine whose power is cut: one real agent, on a disk of its own.

``python3 -m tests.bluez.cut_guest`` mounts the disk, hands a copy of the agent's home to the host
before anything but the kernel has touched it, and runs the agent, which tells on the second serial
line what it has heard, written, and matched. `tests.bluez.cut` is the other side.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHARE = Path("/share")
HOME = Path("/mnt/agent")
HOST = "10.0.2.2"
ADDRESS, NETMASK = "10.0.2.15", "255.255.255.0"
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_UP_AND_RUNNING = 0x41

serial = os.open("/dev/ttyS1", os.O_WRONLY | os.O_NOCTTY)


def tell(**facts: Any) -> None:
    os.write(serial, json.dumps(facts).encode() + b"\n")


def hand_over(name: str) -> None:
    """Copy the home to the host, so that it can be looked at while the agent goes on."""
    shutil.copytree(HOME, SHARE / name)
    tell(handed=name)


def start_network() -> None:
    subprocess.run(["modprobe", "virtio_net"], check=True)
    name = b"eth0"
    with socket.socket() as any_socket:
        for number, address in ((_SIOCSIFADDR, ADDRESS), (_SIOCSIFNETMASK, NETMASK)):
            where = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(any_socket, number, struct.pack("16s16s8x", name, where))
        up = struct.pack("16sH22x", name, _UP_AND_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, up)


class Relay(socketserver.BaseRequestHandler):
    """Stands where the server is for the agent, which takes plain HTTP on its own machine only."""

    def handle(self) -> None:
        port = self.server.server_address[1]
        with socket.create_connection((HOST, port)) as onward:
            back = threading.Thread(target=self._copy, args=(onward, self.request))
            back.start()
            self._copy(self.request, onward)
            back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class RelayServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def listen_in(*, is_unsafe: bool) -> None:
    """Let the agent tell each thing: what it heard before writing, what it wrote once it is."""
    from ble_agent.air import encounter_log
    from ble_agent.air.encounter_log import EncounterLog, Scan
    from ble_agent.air.key_ring import KeyRing
    from ble_agent.exposures import check as exposure_check
    from ble_agent.store import database as store
    from tracing_core.protocol.interval import interval_number

    commit, next_advertisement = EncounterLog.commit, KeyRing.next_advertisement
    take_key_file, open_database = exposure_check.take_key_file, store.open_database
    forget_key_files = encounter_log.forget_key_files

    def tell_commit(log: EncounterLog, scan: Scan) -> int:
        heard = scan.sightings(None, clock_suspect=False)
        tell(heard=[[each.rpi.hex(), each.seen_at] for each in heard])
        count = commit(log, scan)
        tell(logged=count)
        return count

    def tell_advertisement(ring: KeyRing, now: float, metadata: Any) -> Any:
        advertisement = next_advertisement(ring, now, metadata)
        if advertisement is not None:
            tell(sent=advertisement.rpi.hex(), interval=interval_number(now))
        return advertisement

    def tell_key_file(db: Any, file: Any, *rest: Any, **named: Any) -> bool:
        tell(taking=file.name)
        is_taken = take_key_file(db, file, *rest, **named)
        if is_taken:
            tell(taken=file.name)
        return is_taken

    def tell_forgetting(db: Any) -> None:
        tell(forgetting=True)
        forget_key_files(db)

    def open_unsafely(*arguments: Any) -> Any:
        return open_database(*arguments, synchronous="OFF")

    EncounterLog.commit = tell_commit  # type: ignore[method-assign]
    KeyRing.next_advertisement = tell_advertisement  # type: ignore[method-assign]
    exposure_check.take_key_file = tell_key_file
    encounter_log.forget_key_files = tell_forgetting
    if is_unsafe:
        store.open_database = open_unsafely  # type: ignore[assignment]


def orders() -> Iterator[dict[str, Any]]:
    """What the host says, in its order."""
    number = 0
    while True:
        file = SHARE / f"order-{number}"
        if file.exists():
            yield json.loads(file.read_text())
            number += 1
        time.sleep(0.02)


def main() -> int:
    subprocess.run(["mount", "-t", "ext4", "LABEL=agent", str(HOME.parent)], check=True)
    hand_over("found")
    start_network()
    # Everything the agent will need, since its clock begins to run when this is done.
    import httpx2  # noqa: F401

    from ble_agent.app import (
        commands,  # noqa: F401
        running,  # noqa: F401
    )
    from ble_agent.authority.client import ServerClient  # noqa: F401
    from ble_agent.radio.hci import radio as hci  # noqa: F401
    from tracing_core.cli import main as truyvet
    from tracing_core.clock import ScaledClock

    tell(loaded=True, kernel=os.uname().release)
    coming = orders()
    order = next(coming)
    agent = os.fork()
    if agent == 0:
        listen_in(is_unsafe=order["unsafe"])
        clock = ScaledClock(shown=order["told"], real=time.time(), rate=order["rate"])
        os.environ["TRUYVET_CLOCK"] = str(clock)
        radio = f"hci:tcp-client:{HOST}:{order['radio']}"
        sys.argv = ["truyvet", "agent", "--home", str(HOME), "run", "--radio", radio]
        truyvet()
        sys.exit()
    relay = RelayServer(("127.0.0.1", order["port"]), Relay)
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    next(coming)
    os.kill(agent, signal.SIGTERM)
    _, status = os.waitpid(agent, 0)
    hand_over("left")
    tell(stopped=os.waitstatus_to_exitcode(status))
    subprocess.run(["umount", str(HOME.parent)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
