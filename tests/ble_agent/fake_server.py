"""A key server in this process that signs as a real one does and answers as badly as it is told."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from tests.areas import LEVELS, invented_areas
from tracing_core.clock import Clock, ManualClock
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.export_file import ExportFile, Signer, write_export
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.trust.signed_areas import SignedAreas
from tracing_core.trust.signed_config import Contact, SignedConfig
from tracing_core.trust.signed_document import fingerprint
from tracing_core.trust.signed_index import IndexedFile, SignedIndex
from tracing_core.trust.trust_chain import ExportVerificationKey, TrustDocument

Answer = tuple[int, dict[str, str], bytes]


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class FakeServer:
    """What it serves, and what it was asked."""

    clock: Clock = field(default_factory=lambda: ManualClock(1_800_000_000.0))
    config_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    export_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    documents: list[str] = field(default_factory=list)
    config: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    special: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    """Answers that replace the usual ones, by path."""
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and size of the body of every request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """The headers of every request."""
    url: str = ""
    areas: str = ""
    """The signed list of areas; "" for a server without that route."""
    is_signed: bool = False
    """Whether it has a signed index, and its configuration says so."""
    last_day: datetime.date | None = None
    """The last day that its next trust document names."""

    def __post_init__(self) -> None:
        self.fingerprint = fingerprint(self.config_key.public_key())
        self.trust(self.config_key, self.config_key)
        self.configure(1)

    @property
    def line(self) -> str:
        return f"{self.url}#{self.fingerprint}"

    def trust(
        self, signer: ec.EllipticCurvePrivateKey, config_key: ec.EllipticCurvePrivateKey
    ) -> None:
        """Add a trust document that names a configuration key and is signed by some key."""
        document = TrustDocument(
            sequence=len(self.documents) + 1,
            region="VN",
            issued_at=int(self.clock.now()),
            config_key=config_key.public_key(),
            export_keys=(ExportVerificationKey("452", "v1", self.export_key.public_key()),),
            last_day=self.last_day,
        )
        self.documents.append(document.sign(signer))
        self.config_key = config_key

    def configure(self, sequence: int, **changes: Any) -> None:
        values: dict[str, Any] = {
            "contact": {
                "vi": Contact("Trung tâm Y tế", "1900 9095", advice="Ở nhà và gọi cho chúng tôi."),
                "en": Contact("Health Centre", "1900 9095", advice="Stay home and call us."),
            },
            "risk": ExposureConfiguration.default(),
        }
        config = SignedConfig(
            has_signed_index=self.is_signed,
            region="VN",
            sequence=sequence,
            issued_at=int(self.clock.now()),
            health_authority_id="vn.health",
            **(values | changes),
        )
        self.config = config.sign(self.config_key)

    def add_file(
        self,
        name: str,
        keys: Sequence[DiagnosisKey] = (),
        revised_keys: Sequence[DiagnosisKey] = (),
        *,
        signer: ec.EllipticCurvePrivateKey | None = None,
        hours: int = 1,
    ) -> None:
        # No two files have the same times, as in real servers.
        end = int(self.clock.now()) // 3600 * 3600 + len(self.files)
        export = ExportFile(end - hours * 3600, end, "VN", tuple(keys), tuple(revised_keys))
        self.files[name] = write_export(export, [Signer(signer or self.export_key, "452", "v1")])

    def signed_index(self, **changes: Any) -> str:
        """Sign an index of the files, or another."""
        now = int(self.clock.now())
        index = SignedIndex(
            region="VN",
            sequence=now,
            issued_at=now,
            expires_at=now + 86_400,
            files=tuple(
                IndexedFile(name, hashlib.sha256(data).hexdigest(), len(data))
                for name, data in self.files.items()
            ),
            newest_end=now // 3600 * 3600,
            window_seconds=3600,
        )
        return replace(index, **changes).sign(self.config_key)

    def publish_areas(self, sequence: int = 1, **changes: Any) -> None:
        """Publish invented areas, or others."""
        values: dict[str, Any] = {"levels": LEVELS, "areas": tuple(invented_areas(3, 12))}
        values |= {"region": "VN", "sequence": sequence, "issued_at": int(self.clock.now())}
        self.areas = SignedAreas(**(values | changes)).sign(self.config_key)

    def answer(self, path: str) -> Answer:
        if path in self.special:
            return self.special[path]()
        name = path.rpartition("/")[2]
        if path == "/v1/trust":
            return 200, {}, json.dumps({"documents": self.documents}).encode()
        if path == "/v1/config/VN":
            return 200, {}, self.config.encode()
        if path == "/v1/areas/VN" and self.areas:
            tag = f'"{hashlib.sha256(self.areas.encode()).hexdigest()}"'
            is_known = self.headers[-1].get("If-None-Match") == tag
            return (
                (304 if is_known else 200),
                {"ETag": tag},
                b"" if is_known else self.areas.encode(),
            )
        if path == "/exports/VN/index.jws" and self.is_signed:
            return 200, {}, self.signed_index().encode()
        if path == "/exports/VN/index.txt":
            return 200, {}, "\n".join(self.files).encode()
        if path == f"/exports/VN/{name}" and name in self.files:
            tag = hashlib.sha256(self.files[name]).hexdigest()
            return 200, {"ETag": f'"{tag}"'}, self.files[name]
        return 404, {}, b'{"error":"not found","code":"not_found"}'


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer

    def handle_any(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self.rfile.read(size)
        self.fake.asked.append((self.command, self.path, size))
        self.fake.headers.append(dict(self.headers))
        status, headers, body = self.fake.answer(self.path)
        with contextlib.suppress(ConnectionError):
            self.send_response_only(status)
            headers = {"Date": formatdate(self.fake.clock.now(), usegmt=True)} | headers
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            self.wfile.write(body)
            if len(body) < int(headers.get("Content-Length", len(body))):
                # Told to break off.
                self.close_connection = True

    do_GET = handle_any  # noqa: N815
    do_HEAD = handle_any  # noqa: N815
    do_POST = handle_any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def fake_server(*, tls: ssl.SSLContext | None = None, **fields: Any) -> Iterator[FakeServer]:
    fake = FakeServer(**fields)
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        # Handshakes that clients break off are no news.
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
    fake.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
