"""Client of the key server: bounded requests, and answers that are never acted upon.

Nothing in an answer makes the device upload, reveal or delete anything; only the owner's commands
do.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

from ble_agent.authority.addresses import KeyFileAddress, ServerAddresses
from ble_agent.authority.caching import FileMark, is_from_cache, sent_at
from ble_agent.authority.download import KnownAnswers, PartialFile
from ble_agent.authority.ledger_notes import Notes
from ble_agent.authority.requests import Step, padded_body, refusal
from ble_agent.authority.transport import (
    HTTPTransport,
    Timeouts,
    Transport,
    origin_of,
    unreachable,
)
from ble_agent.messages.refusals import not_possible, refused
from tracing_core.clock import Clock
from tracing_core.errors import (
    InvalidValue,
    MalformedExport,
    ServerError,
    ServerRefused,
    ServerUnreachable,
    require,
)
from tracing_core.export_file import (
    BLUEZONE_LIST_NAME,
    BLUEZONE_SIGNATURES_NAME,
    MAX_EXPORT_BYTES,
    MAX_INDEX_BYTES,
    SIGNED_INDEX_NAME,
    read_index,
)
from tracing_core.export_file.bluezone_file import MAX_LIST_SIGNATURES_BYTES
from tracing_core.http.json_body import JSONBody
from tracing_core.http.publish_request import PublishRequest
from tracing_core.http.verification import CertificateRequest, VerifyRequest
from tracing_core.protocol.bluezone_list import MAX_LIST_BYTES
from tracing_core.trust.signed_areas import MAX_AREAS_BYTES
from tracing_core.trust.signed_document import MAX_DOCUMENT_BYTES
from tracing_core.trust.signed_index import MAX_SIGNED_INDEX_BYTES

if TYPE_CHECKING:
    import httpx2

__all__ = ["ServerClient"]

_MAX_ANSWER_BYTES = 64 << 10
_MAX_TRUST_BYTES = 1 << 20
_MAX_REDIRECTS = 3
_MAX_RESUMPTIONS = 5
# Matching tolerates two hours; a clock further off would make every comparison wrong.
_CLOCK_TOLERANCE_SECONDS = 7_200

# Names of equal length, so that they look alike when encrypted. The server reads only the first,
# which Google's servers know too.
_COVER = "X-Chaff"
_EARNEST = "X-Plain"
_MIRRORED_FAULTS = ("server", "maintenance_mode", "too_many_requests", "not_found")

_Answer = TypeVar("_Answer", bound=JSONBody)
_Public = TypeVar("_Public")
_Request = TypeVar("_Request", VerifyRequest, CertificateRequest, PublishRequest)
# Timeouts are in real time, even where the agent uses another clock.
_real_time = Clock()


def _index_url(address: KeyFileAddress) -> str:
    return address.index_url


def _beside_index(address: KeyFileAddress, name: str) -> str:
    return f"{address.index_url.rpartition('/')[0]}/{name}"


def _signed_index_url(address: KeyFileAddress) -> str:
    return _beside_index(address, SIGNED_INDEX_NAME)


def _continues(response: httpx2.Response, start: int) -> bool:
    sent = response.headers.get("Content-Range", "")
    return response.status_code == 206 and sent.startswith(f"bytes {start}-")


class ServerClient:
    """A connection to one authority's servers, for one thread, used as a context manager.

    Parameters
    ----------
    server
        Address of our own server (https, or http on this machine), or the addresses of others.
    clock
        Clock of this device, which is compared with the server's.
    cancelled
        Called between the parts of an answer; returning True ends it as if the network had gone.
    known
        Documents that need not be sent again; None if there are none.
    partial
        Place for the beginning of a key file whose download breaks off.
    is_cover
        Whether its uploads are cover reports; they differ from real ones in one header only.
    until
        The end of the last day (UTC Unix seconds), when uploads end.
    timeouts
        How long to wait.
    notes
        Where the requests are noted; None to note nothing, which only tests do.
    transport
        What requests are sent through; None makes an `HTTPTransport`.

    Raises
    ------
    TrustError
        When the URL is not allowed.
    MissingExtra
        When the HTTP library is not installed.
    """

    def __init__(
        self,
        server: str | ServerAddresses,
        clock: Clock,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        known: KnownAnswers | None = None,
        partial: PartialFile | None = None,
        is_cover: bool = False,
        until: float = math.inf,
        timeouts: Timeouts | None = None,
        notes: Notes | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._server = ServerAddresses.of(server) if isinstance(server, str) else server
        self._clock = clock
        self._cancelled = cancelled
        self._known = known
        self._partial = partial or PartialFile(None)
        self._kind = _COVER if is_cover else _EARNEST
        self._until = until
        self._timeouts = timeouts or Timeouts()
        self._next_post = -math.inf
        self.confirms_clock = False
        """Whether the server has answered, with a time near this device's."""
        self.last_mark = FileMark()
        """The marks that came with the last key file."""
        self.was_resumed = False
        """Whether the last key file was completed from a part that was kept."""
        self._httpx2 = require("httpx2", extra="agent")
        services = list(self._server.services())
        self._origins = {origin_of(self._httpx2.URL(url)) for url in services}
        self._transport: Transport = transport or HTTPTransport(services, self._timeouts, notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._transport.close()

    @property
    def is_cancelled(self) -> bool:
        """Whether the caller wants no more answers, which then end as if the network had gone."""
        return self._cancelled()

    def upload_host(self, path: str) -> str:
        """Return the host, with its port if it has one, that a request of a report goes to."""
        return urlsplit(self._server.upload_url(path)).netloc

    def trust_documents(self) -> list[str]:
        """Fetch the server's trust documents, oldest first, not yet verified.

        Raises
        ------
        ServerError
            When the server does not answer, or its answer is not a list of documents.
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
            When the server does not answer, or its answer is not a configuration.
        """
        try:
            return self._get(f"/v1/config/{region}", MAX_DOCUMENT_BYTES).decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise refused("answer") from error

    def areas(self, region: str, tag: str) -> str | None:
        """Fetch the signed list of a region's areas, not yet verified.

        Parameters
        ----------
        region
            The region's name.
        tag
            SHA-256 of the list that this device has, 64 hex digits; "" if it has none.

        Returns
        -------
        str or None
            The list; None if the server confirms the one that this device has.

        Raises
        ------
        ServerError
            When the server does not answer, has no list, or answers with something else.
        """
        url = f"{self._server.documents_url}/v1/areas/{region}"
        headers = {"If-None-Match": f'"{tag}"'} if tag else {}
        with self._redirected(url, headers) as response:
            if response.status_code == 304 and tag:
                return None
            data = self._read(response, MAX_AREAS_BYTES)
        try:
            return data.decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise refused("answer") from error

    def index(self, region: str, mirrors: Sequence[str] = ()) -> list[str]:
        """Fetch the names of a region's key files, oldest first.

        Parameters
        ----------
        region
            The region's name.
        mirrors
            Addresses that serve the same, for when the server itself does not answer.

        Raises
        ------
        ServerError
            When the server does not answer, or its answer is not an index.
        """
        addresses = self._server.key_file_addresses(region, mirrors)
        try:
            return read_index(self._get_public(addresses, _index_url, self._get_index))
        except MalformedExport as error:
            raise refused("answer") from error

    def signed_index(self, region: str, mirrors: Sequence[str] = ()) -> str:
        """Fetch the signed index of a region's key files, not yet verified.

        Parameters
        ----------
        region
            The region's name.
        mirrors
            Addresses that serve the same, for when the server itself does not answer.

        Raises
        ------
        ServerError
            When the server does not answer, or its answer is not a signed index.
        """
        addresses = self._server.key_file_addresses(region, mirrors)
        document = self._get_public(addresses, _signed_index_url, self._get_signed_index)
        try:
            return document.decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise refused("answer") from error

    def file_mark(self, region: str, name: str, mirrors: Sequence[str] = ()) -> FileMark | None:
        """Ask for the marks of a key file without fetching it; None if the server has none.

        Nothing is sent that the file's marks were received with, since they could identify this
        device.
        """
        addresses = self._server.key_file_addresses(region, mirrors)
        try:
            return self._get_public(addresses, lambda each: each.file_url(name), self._get_mark)
        except ServerError:
            return None

    def key_file(self, region: str, name: str, mirrors: Sequence[str] = ()) -> bytes:
        """Fetch a key file that the index names, not yet verified.

        Parameters
        ----------
        region
            The region's name.
        name
            The file's name, as `index` returned it.
        mirrors
            Addresses that serve the same, for when the server itself does not answer.

        Raises
        ------
        ServerError
            When the server does not answer, or its answer is too large.
        """
        addresses = self._server.key_file_addresses(region, mirrors)
        return self._get_public(addresses, lambda each: each.file_url(name), self._get_file)

    def bluezone_list(
        self, region: str, mirrors: Sequence[str] = (), *, known_sha256: str = ""
    ) -> bytes | None:
        """Fetch the list of Bluezone keys beside the key files, not yet verified.

        Parameters
        ----------
        region
            The region's name.
        mirrors
            Addresses that serve the same, for when the server itself does not answer.
        known_sha256
            SHA-256 of the list that need not be sent again; "" if there is none. It reveals only
            which list the device has.

        Returns
        -------
        bytes or None
            None if it is still the known one.

        Raises
        ------
        ServerError
            When the server does not answer, has no such list, or it is too large.
        """
        addresses = self._server.key_file_addresses(region, mirrors)
        headers = {"If-None-Match": f'"{known_sha256}"'} if known_sha256 else {}

        def get(url: str) -> bytes | None:
            with self._redirected(url, headers) as response:
                if response.status_code == 304 and known_sha256:
                    return None
                return self._read(response, MAX_LIST_BYTES)

        return self._get_public(
            addresses, lambda each: _beside_index(each, BLUEZONE_LIST_NAME), get
        )

    def bluezone_signatures(self, region: str, mirrors: Sequence[str] = ()) -> bytes:
        """Fetch the signatures of the list of Bluezone keys.

        Raises
        ------
        ServerError
            When the server does not answer, has none, or they are too large.
        """

        def get(url: str) -> bytes:
            with self._redirected(url, {}) as response:
                return self._read(response, MAX_LIST_SIGNATURES_BYTES)

        addresses = self._server.key_file_addresses(region, mirrors)
        return self._get_public(
            addresses, lambda each: _beside_index(each, BLUEZONE_SIGNATURES_NAME), get
        )

    def post(self, step: Step[_Request, _Answer], request: _Request, attempt: str = "") -> _Answer:
        """Send one step of a report.

        Parameters
        ----------
        step
            The step.
        request
            Its body.
        attempt
            Secret with which the server repeats an answer that was lost; "" if that is not needed.

        Raises
        ------
        NotPossible
            When the last day is over (``after_last_day``).
        ServerError
            When the server does not answer, or refuses the step.
        """
        if self._clock.now() >= self._until:
            raise not_possible("after_last_day")
        headers = {"Content-Type": "application/json", self._kind: "1"}
        if attempt:
            # In quotes, as draft-ietf-httpapi-idempotency-key-header has it. Other servers ignore
            # the header.
            headers["Idempotency-Key"] = f'"{attempt}"'
        if self._server.device_api_key and step.path.startswith("/api/"):
            headers["X-API-Key"] = self._server.device_api_key
        url, body = self._server.upload_url(step.path), padded_body(request, step.request_bytes)
        self._pace()
        with self._transport.exchange("POST", url, headers=headers, content=body) as response:
            if response.is_redirect:
                raise refused("redirected")
            self._check_clock(response)
            data = self._read(response, _MAX_ANSWER_BYTES)
        if self._kind == _COVER:
            # Whatever a server answers to cover, the next request follows as in a real report.
            return step.answer()
        try:
            return step.answer.from_bytes(data)
        except InvalidValue as error:
            raise refused("answer") from error

    def _get_public(
        self,
        addresses: Sequence[KeyFileAddress],
        url_at: Callable[[KeyFileAddress], str],
        get: Callable[[str], _Public],
    ) -> _Public:
        """Get a public file, from the server or else a mirror; signatures make them equally good.

        Raises
        ------
        ServerError
            The server's own error, when no mirror helps.
        """
        own, *mirrors = addresses
        try:
            return get(url_at(own))
        except ServerError as error:
            if isinstance(error, ServerRefused) and error.code not in _MIRRORED_FAULTS:
                raise
            for mirror in random.sample(mirrors, len(mirrors)):
                with contextlib.suppress(ServerError):
                    return get(url_at(mirror))
            raise

    def _get_index(self, url: str) -> bytes:
        return self._get_document(url, MAX_INDEX_BYTES)

    def _get_signed_index(self, url: str) -> bytes:
        return self._get_document(url, MAX_SIGNED_INDEX_BYTES)

    def _get_mark(self, url: str) -> FileMark:
        with self._redirected(url, {}, method="HEAD") as response:
            if response.status_code != 200:
                raise refusal(response.status_code, b"")
            return FileMark.of(response.headers)

    def _get(self, path: str, limit: int) -> bytes:
        return self._get_document(self._server.documents_url + path, limit)

    def _get_document(self, url: str, limit: int) -> bytes:
        """Get a document, or use the known one if the server confirms its hash."""
        tag = self._known.tag(url) if self._known else None
        headers = {"If-None-Match": tag} if tag else {}
        with self._redirected(url, headers) as response:
            self._check_clock(response)
            if response.status_code == 304 and tag and self._known:
                known = self._known.body(url)
                if known is not None:
                    return known
            body = self._read(response, limit)
        if self._known:
            self._known.keep(url, response.headers.get("ETag", ""), body)
        return body

    def _get_file(self, url: str) -> bytes:
        """Get a file, and resume it where it breaks off, as long as every attempt brings more."""
        deadline = _real_time.monotonic() + self._timeouts.download_seconds
        have = self._partial.begin(url)
        for _ in range(_MAX_RESUMPTIONS):
            try:
                data = self._get_rest(url, have, deadline)
            except ServerUnreachable:
                reached = self._partial.begin(url)
                if len(reached) <= len(have) or self._cancelled():
                    raise
                have = reached
            except ServerError:
                self._partial.discard()
                if not have:
                    raise
                have = b""
            else:
                self._partial.discard()
                return data
        raise unreachable()

    def _get_rest(self, url: str, have: bytes, deadline: float) -> bytes:
        headers = {"Range": f"bytes={len(have)}-"} if have else {}
        with self._redirected(url, headers) as response:
            self.last_mark, self.was_resumed = FileMark.of(response.headers), False
            if response.status_code not in (200, 206):
                return self._read(response, MAX_EXPORT_BYTES)
            self._check_encoding(response)
            self.was_resumed = bool(have)
            if not (have and _continues(response, len(have))):
                have, self.was_resumed = b"", False
                if response.status_code == 206:
                    raise refused("answer")
                self._partial.restart(url)
            data = bytearray(have)
            for part in self._parts(response, MAX_EXPORT_BYTES - len(have), deadline):
                data += part
                self._partial.append(part)
        return bytes(data)

    @contextlib.contextmanager
    def _redirected(
        self, url: str, headers: Mapping[str, str], *, method: str = "GET"
    ) -> Iterator[httpx2.Response]:
        for _ in range(_MAX_REDIRECTS + 1):
            with self._transport.exchange(method, url, headers=headers) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                url = self._same_origin(response)
        raise refused("redirected")

    def _pace(self) -> None:
        """Wait until a random time after the last upload, so that the work between stays hidden."""
        now = _real_time.monotonic()
        if now < self._next_post:
            time.sleep(self._next_post - now)
        pause = random.SystemRandom().uniform(*self._timeouts.pace_seconds)
        self._next_post = _real_time.monotonic() + pause

    def _same_origin(self, response: httpx2.Response) -> str:
        try:
            target = response.url.join(response.headers["Location"])
        except (self._httpx2.InvalidURL, ValueError) as error:
            raise refused("answer") from error
        if origin_of(target) != origin_of(response.url):
            raise refused("redirected")
        return str(target)

    def _check_encoding(self, response: httpx2.Response) -> None:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise refused("answer")

    def _read(self, response: httpx2.Response, limit: int) -> bytes:
        self._check_encoding(response)
        failed = response.status_code != 200
        deadline = _real_time.monotonic() + self._timeouts.answer_seconds
        data = b"".join(self._parts(response, _MAX_ANSWER_BYTES if failed else limit, deadline))
        if failed:
            raise refusal(response.status_code, data, is_own_kind=self._server.is_own_kind)
        return data

    def _parts(self, response: httpx2.Response, limit: int, deadline: float) -> Iterator[bytes]:
        size = 0
        for part in response.iter_raw():
            size += len(part)
            if size > limit:
                raise refused("too_large")
            if self._cancelled() or _real_time.monotonic() > deadline:
                raise unreachable()
            yield part

    def _check_clock(self, response: httpx2.Response) -> None:
        """Compare this device's clock with the server's.

        A cache adds the age of its copy, but may be wrong about it. So its answer can confirm this
        device's clock and not contradict it.

        Key files are not used for this: they never change, so a cache may serve one with a date
        that is days old. The index that names them was used just before.
        """
        if origin_of(response.url) not in self._origins:
            # A mirror may serve a response that is hours old.
            return
        moment = sent_at(response.headers)
        if moment is None:
            return
        if abs(moment - self._clock.now()) <= _CLOCK_TOLERANCE_SECONDS:
            self.confirms_clock = True
        elif not is_from_cache(response.headers):
            raise refused("clock_wrong")
