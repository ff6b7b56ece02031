"""A deployment of Google's servers: three addresses, and a fourth by which a test controls it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.google_standin.key_files import SigningKey, StoredKey, key_file, made_up_keys
from tests.google_standin.key_server import KeyServer
from tests.google_standin.verification import VerificationServer, new_key

REGION = "vn"
HEALTH_AUTHORITY_ID = "vn.health.test"


class Deployment:
    """What a health authority runs."""

    def __init__(self) -> None:
        self.verification = VerificationServer()
        public_key = self.verification.certificate_key.public_key()
        self.key_server = KeyServer(HEALTH_AUTHORITY_ID, public_key)
        self.signers = [SigningKey("452", "v1", new_key()), SigningKey("453", "v1", new_key())]
        self.bucket: dict[str, bytes] = {f"{REGION}/index.txt": b""}
        self.lost: set[str] = set()
        """Paths whose next answer does not arrive."""
        self.asked: list[dict[str, Any]] = []
        self.controls: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/issue": self.issue,
            "/export": self.export,
            "/rotate": self.rotate,
            "/plant": self.plant,
            "/lose": lambda fields: self.lost.add(fields["path"]),
            "/maintenance": self.maintain,
            "/expire": self.expire,
            "/keys": self.stored,
            "/asked": lambda _: self.asked,
            "/signers": lambda _: self.public_keys(),
        }

    async def files(self, request: Request, _now: float) -> Response:
        data = self.bucket.get(request.url.path.removeprefix("/bucket/"))
        if data is None:
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404, media_type="text/xml")
        kind = "text/plain" if request.url.path.endswith(".txt") else "application/zip"
        return Response(data, media_type=kind)

    async def control(self, request: Request, _now: float) -> Response:
        fields = json.loads(await request.body() or b"{}")
        return JSONResponse(self.controls[request.url.path](fields))

    def issue(self, fields: dict[str, Any]) -> str:
        symptom_date = fields.get("symptomDate", "")
        return self.verification.issue(time.time(), fields["testType"], symptom_date)

    def expire(self, fields: dict[str, Any]) -> None:
        self.verification.codes[fields["code"]].expires_at = 0

    def maintain(self, fields: dict[str, Any]) -> None:
        self.verification.maintenance = self.key_server.maintenance = fields["on"]

    def plant(self, fields: dict[str, Any]) -> None:
        for key in fields["keys"]:
            stored = StoredKey(bytes.fromhex(key["data"]), key["start"], 144, 2, "confirmed", 0)
            self.key_server.keys[base64.b64encode(stored.data).decode()] = stored

    def stored(self, _fields: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"key": text, "report_type": key.report_type, "revised": key.revised}
            for text, key in self.key_server.keys.items()
        ]

    def export(self, fields: dict[str, Any]) -> str:
        """Publish what is new; nothing if there is nothing, as Google's server does."""
        keys = [key for key in self.key_server.keys.values() if not key.exported]
        revised = [
            key
            for key in self.key_server.keys.values()
            if key.exported and key.revised and not key.exported_revision
        ]
        if not keys and not revised:
            return ""
        end = int(time.time()) // 3600 * 3600 - 7200 + len(self.bucket)
        more = made_up_keys(fields.get("padding", 0), end // 86_400 * 144 - 288)
        data = key_file(
            keys + more, revised, self.signers, start=end - 3600, end=end, region=REGION.upper()
        )
        name = f"{REGION}/{end - 3600}-{end}-00001.zip"
        self.bucket[name] = data
        names = sorted(each for each in self.bucket if each.endswith(".zip"))
        self.bucket[f"{REGION}/index.txt"] = "\n".join(names).encode("ascii")
        for key in keys:
            # A key that was revised before its first export is published as it stands now.
            key.report_type, key.exported = key.revised or key.report_type, True
            key.exported_revision = bool(key.revised)
        for key in revised:
            key.exported_revision = True
        return name

    def rotate(self, _fields: dict[str, Any]) -> list[dict[str, str]]:
        self.signers = [SigningKey("454", "v1", new_key())]
        return self.public_keys()

    def public_keys(self) -> list[dict[str, str]]:
        form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return [
            {
                "id": signer.key_id,
                "version": signer.version,
                "public_key": signer.private.public_key().public_bytes(*form).decode(),
            }
            for signer in self.signers
        ]


class Site:
    """One listener: adds the date, notes what was asked, and loses answers when told to."""

    def __init__(
        self,
        deployment: Deployment,
        respond: Callable[[Request, float], Awaitable[Response]],
        *,
        noting: bool = True,
    ) -> None:
        self._deployment = deployment
        self._respond = respond
        self._noting = noting

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        if self._noting:
            names = ("X-API-Key", "X-Chaff", "X-Plain")
            self._deployment.asked.append(
                {
                    "method": request.method,
                    "path": request.url.path,
                    "size": len(body),
                    "headers": [name for name in names if name in request.headers],
                }
            )
        now = time.time()
        response = await self._respond(request, now)
        response.headers["Date"] = formatdate(now, usegmt=True)
        if request.url.path in self._deployment.lost and not request.headers.get("X-Chaff"):
            self._deployment.lost.discard(request.url.path)
            # An answer that breaks off in its body.
            start = {"type": "http.response.start", "status": 200, "headers": []}
            await send({**start, "headers": [(b"content-length", b"4096")]})
            return
        await response(scope, receive, send)


async def serve() -> None:
    deployment = Deployment()
    sites = {
        "verification_url": Site(deployment, deployment.verification.respond),
        "key_server_url": Site(deployment, deployment.key_server.respond),
        "bucket_url": Site(deployment, deployment.files),
        "control_url": Site(deployment, deployment.control, noting=False),
    }
    facts: dict[str, Any] = {"device_api_key": deployment.verification.api_key}
    running = []
    for name, site in sites.items():
        listener = socket.create_server(("127.0.0.1", 0))
        facts[name] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            site, lifespan="off", log_level="critical", date_header=False, server_header=False
        )
        running.append((uvicorn.Server(config), listener))
    facts["health_authority_id"] = HEALTH_AUTHORITY_ID
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in running))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
