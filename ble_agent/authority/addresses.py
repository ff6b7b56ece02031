"""Addresses of an authority's services: trust documents, key files, codes and uploads.

Our own server has all of them below one address. Google's servers have three, and the index of
their key files can be anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tracing_core.export_file import INDEX_NAME
from tracing_core.trust.join_line import JoinLine

__all__ = ["KeyFileAddress", "ServerAddresses"]


@dataclass(frozen=True, slots=True)
class KeyFileAddress:
    """Address of an index and of the key files that it names."""

    index_url: str
    files_url: str = ""
    """What names in the index are relative to; "" if `file_url` must work it out."""

    def file_url(self, name: str) -> str:
        """Return the address of a file that the index names.

        Google's server writes names from the root of its storage, so they begin with the index's
        own folders. Other servers write them from the index's folder.
        """
        if self.files_url:
            return f"{self.files_url}/{name}"
        folder = self.index_url.rpartition("/")[0]
        path = urlsplit(folder).path
        folders = name.split("/")[:-1]
        while folders:
            tail = "/" + "/".join(folders)
            if path.endswith(tail):
                return f"{folder.removesuffix(tail)}/{name}"
            folders.pop()
        return f"{folder}/{name}"


@dataclass(frozen=True, slots=True)
class ServerAddresses:
    """Addresses of the services of one authority, without a slash at the end."""

    documents_url: str
    """Where the trust documents and the configuration are; "" if there are none."""
    verification_url: str
    """Where codes are exchanged for certificates, before ``/api``."""
    key_server_url: str
    """Where keys are uploaded, before ``/v1/publish``."""
    key_files: KeyFileAddress | None = None
    """Where the key files are; None if they are below `documents_url`."""
    device_api_key: str = field(default="", repr=False)
    """What the verification server demands as ``X-API-Key``; "" if it demands nothing."""

    @classmethod
    def of(cls, url: str) -> ServerAddresses:
        """Return the addresses of our own server.

        Raises
        ------
        InvalidJoinLine
            When the URL is not allowed.
        """
        # An address follows the same rules as in a join line.
        url = JoinLine(url.rstrip("/"), "0" * 64).url
        return cls(url, url, url)

    @property
    def is_own_kind(self) -> bool:
        """Whether the server is one of ours, whose error words mean one thing each."""
        return self.key_files is None

    def services(self) -> Iterator[str]:
        """Yield the addresses of all services, some of them more than once."""
        yield from filter(None, (self.documents_url, self.verification_url, self.key_server_url))
        if self.key_files is not None:
            yield self.key_files.index_url

    def upload_url(self, path: str) -> str:
        """Return the address of one request of a report."""
        return (self.verification_url if path.startswith("/api/") else self.key_server_url) + path

    def key_file_addresses(self, region: str, mirrors: Sequence[str]) -> list[KeyFileAddress]:
        """Return the addresses of a region's key files: the server's own first, then mirrors'.

        A mirror is named by its index, or by the base of its URLs if it serves as our server does.
        """
        if self.key_files is not None:
            return [self.key_files, *map(KeyFileAddress, mirrors)]
        return [
            KeyFileAddress(f"{url}/exports/{region}/{INDEX_NAME}")
            for url in (self.documents_url, *mirrors)
        ]
