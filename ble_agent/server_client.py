"""The key server seen from a device: bounded requests, and answers that can only be read.

Nothing an answer holds makes the device upload, reveal or delete anything; the owner's commands
alone do.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from ble_agent.messages import say
from tracing_core.clock import Clock
from tracing_core.errors import (
    InvalidValue,
    MalformedExport,
    ServerError,
    ServerRefused,
    ServerUnreachable,
    require,
)
from tracing_core.export_file import MAX_EXPORT_BYTES, MAX_INDEX_BYTES, read_index
from tracing_core.json_body import JSONBody
from tracing_core.publish_request import PublishRequest, PublishResponse
from tracing_core.trust import MAX_DOCUMENT_BYTES, JoinLine
from tracing_core.verification import (
    CertificateRequest,
    CertificateResponse,
    VerifyRequest,
    VerifyResponse,
)

if TYPE_CHECKING:
    import httpx2

__all__ = ["PUBLISH_REQUEST_BYTES", "VERIFY_REQUEST_BYTES", "ServerClient", "refused"]

VERIFY_REQUEST_BYTES = 2_048
"""Every request to the verification endpoints is padded to this size."""

PUBLISH_REQUEST_BYTES = 16_384
"""Every upload is padded to this size, or to a multiple: 30 keys, a certificate and a revision
token fill about half of it."""

_MAX_ANSWER_BYTES = 64 << 10
_MAX_TRUST_BYTES = 1 << 20
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
# A server that sends one byte now and then must not hold a device for ever.
_ANSWER_SECONDS = 120.0
_DOWNLOAD_SECONDS = 600.0
_MAX_REDIRECTS = 3
# Matching tolerates two hours; a clock further off would make every comparison wrong.
_CLOCK_TOLERANCE_SECONDS = 7_200

_WORDS = {
    "code_expired": "code_expired",
    "code_invalid": "code_used",  # Google's word for a code that was exchanged before
    "code_not_found": "code_unknown",
    "code_user_unauthorized": "code_unknown",
    "hmac_invalid": "answer",
    "internal_error": "server",
    "internal_server_error": "server",
    "invalid_test_type": "invalid_test_type",
    "maintenance_mode": "maintenance_mode",
    "quota_exceeded": "too_many_requests",
    "token_expired": "token_expired",
    "token_invalid": "token_expired",
    "unparsable_request": "answer",
    "unsupported_test_type": "invalid_test_type",
}
_Answer = TypeVar("_Answer", bound=JSONBody)
_Request = TypeVar("_Request", VerifyRequest, CertificateRequest, PublishRequest)


def refused(code: str) -> ServerRefused:
    """Return the error for one of our own words, with its English text."""
    return ServerRefused(code, say(f"error_{code}", "en"))


def _padded(request: _Request, size: int) -> bytes:
    """Return a request's body, padded to a multiple of a size by letters nobody can foretell."""

    def encode(letters: str) -> bytes:
        filled = replace(request, padding=letters)
        return json.dumps(filled.to_json(), separators=(",", ":")).encode()

    short = len(encode("x")) - 1
    missing = -short % size or size
    return encode(base64.urlsafe_b64encode(secrets.token_bytes(missing)).decode()[:missing])


def _refusal(status: int, code: str) -> ServerError:
    if code in _WORDS:
        return refused(_WORDS[code])
    if status == 429:
        return refused("too_many_requests")
    if status == 404:
        return refused("not_found")
    if status >= 500:
        return refused("maintenance_mode" if status == 503 else "server")
    return refused("keys_refused" if code else "answer")


def _is_certificate_fault(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _code_of(data: bytes) -> str:
    """Return the word an error's body gives, "" if it gives none."""
    try:
        fields: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    code = (fields.get("errorCode") or fields.get("code")) if isinstance(fields, dict) else None
    return code if isinstance(code, str) else ""


class ServerClient:
    """A connection to one server, for one thread, used as a context manager.

    Parameters
    ----------
    url
        Where the server is: https, or http on this machine.
    clock
        Tells the time that the server's is compared with.
    cancelled
        Asked between the parts of an answer; True ends it as if the network had gone.

    Raises
    ------
    TrustError
        When the URL is not allowed.
    MissingExtra
        When the HTTP library is not installed.
    """

    def __init__(
        self, url: str, clock: Clock, *, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        # The rules for an address are those of the line it came in.
        self.url = JoinLine(url.rstrip("/"), "0" * 64).url
        self._clock = clock
        self._cancelled = cancelled
        self._httpx2 = require("httpx2", extra="agent")
        self._client: httpx2.Client = self._httpx2.Client(
            timeout=self._httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            # A proxy of the environment is the owner's choice, but not for this very machine.
            trust_env=urlsplit(self.url).scheme == "https",
            # Nothing compressed: a bomb must not unfold. Nothing that tells devices apart either.
            headers={"Accept-Encoding": "identity", "User-Agent": "truyvet"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def trust_documents(self) -> list[str]:
        """Fetch the server's trust documents, oldest first, not yet verified.

        Raises
        ------
        ServerError
            When it does not answer, or with something else.
        """
        try:
            documents = json.loads(self._get("/v1/trust", _MAX_TRUST_BYTES))["documents"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise refused("answer") from error
        if not isinstance(documents, list) or not all(isinstance(each, str) for each in documents):
            raise refused("answer")
        return documents

    def configuration(self, region: str) -> str:
        """Fetch the signed configuration of a region, not yet verified.

        Raises
        ------
        ServerError
            When it does not answer, or with something else.
        """
        try:
            return self._get(f"/v1/config/{region}", MAX_DOCUMENT_BYTES).decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise refused("answer") from error

    def index(self, region: str) -> list[str]:
        """Fetch the names of a region's key files, oldest first.

        Raises
        ------
        ServerError
            When it does not answer, or with something that is no index.
        """
        try:
            return read_index(self._get(f"/exports/{region}/index.txt", MAX_INDEX_BYTES))
        except MalformedExport as error:
            raise refused("answer") from error

    def key_file(self, region: str, name: str) -> bytes:
        """Fetch a key file that the index names, not yet verified.

        Raises
        ------
        ServerError
            When it does not answer, or with something too large.
        """
        # Google's server names files from one folder above the index.
        path = name if name.startswith(f"{region}/") else f"{region}/{name}"
        return self._get(f"/exports/{path}", MAX_EXPORT_BYTES, seconds=_DOWNLOAD_SECONDS)

    def verify(self, request: VerifyRequest) -> VerifyResponse:
        """Exchange a code for a token.

        Raises
        ------
        ServerError
            When it does not answer or refuses the code.
        """
        body = _padded(request, VERIFY_REQUEST_BYTES)
        return self._post("/api/verify", body, VerifyResponse)

    def certify(self, request: CertificateRequest) -> CertificateResponse:
        """Exchange a token and the MAC of keys for a certificate.

        Raises
        ------
        ServerError
            When it does not answer or refuses the token.
        """
        body = _padded(request, VERIFY_REQUEST_BYTES)
        return self._post("/api/certificate", body, CertificateResponse)

    def publish(self, request: PublishRequest) -> PublishResponse:
        """Upload keys.

        Raises
        ------
        ServerError
            When it does not answer or takes no key.
        """
        body = _padded(request, PUBLISH_REQUEST_BYTES)
        return self._post("/v1/publish", body, PublishResponse)

    def _get(self, path: str, limit: int, *, seconds: float = _ANSWER_SECONDS) -> bytes:
        url = self.url + path
        for _ in range(_MAX_REDIRECTS + 1):
            with self._exchange("GET", url) as response:
                if not response.has_redirect_location:
                    return self._read(response, limit, seconds)
                url = self._same_origin(response)
        raise refused("redirected")

    def _post(self, path: str, body: bytes, answer: type[_Answer]) -> _Answer:
        headers = {"Content-Type": "application/json"}
        with self._exchange("POST", self.url + path, content=body, headers=headers) as response:
            if response.is_redirect:
                raise refused("redirected")
            data = self._read(response, _MAX_ANSWER_BYTES, _ANSWER_SECONDS)
        try:
            return answer.from_bytes(data)
        except InvalidValue as error:
            raise refused("answer") from error

    def _same_origin(self, response: httpx2.Response) -> str:
        try:
            target = response.url.join(response.headers["Location"])
        except (self._httpx2.InvalidURL, ValueError) as error:
            raise refused("answer") from error
        here = response.url
        if (target.scheme, target.host, target.port) != (here.scheme, here.host, here.port):
            raise refused("redirected")
        return str(target)

    @contextlib.contextmanager
    def _exchange(self, method: str, url: str, **options: Any) -> Iterator[httpx2.Response]:
        try:
            with self._client.stream(method, url, **options) as response:
                yield response
        except self._httpx2.TransportError as error:
            if _is_certificate_fault(error):
                raise refused("certificate") from error
            raise ServerUnreachable(say("error_server_unreachable", "en")) from error
        except (self._httpx2.HTTPError, self._httpx2.InvalidURL) as error:
            raise refused("answer") from error

    def _read(self, response: httpx2.Response, limit: int, seconds: float) -> bytes:
        self._check_clock(response)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise refused("answer")
        failed = response.status_code != 200
        data = b"".join(self._parts(response, _MAX_ANSWER_BYTES if failed else limit, seconds))
        if failed:
            raise _refusal(response.status_code, _code_of(data))
        return data

    def _parts(self, response: httpx2.Response, limit: int, seconds: float) -> Iterator[bytes]:
        real_clock = Clock()
        deadline = real_clock.monotonic() + seconds
        size = 0
        for part in response.iter_raw():
            size += len(part)
            if size > limit:
                raise refused("too_large")
            if self._cancelled() or real_clock.monotonic() > deadline:
                raise ServerUnreachable(say("error_server_unreachable", "en"))
            yield part

    def _check_clock(self, response: httpx2.Response) -> None:
        try:
            told = parsedate_to_datetime(response.headers["Date"]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return
        if abs(told - self._clock.now()) > _CLOCK_TOLERANCE_SECONDS:
            raise refused("clock_wrong")
