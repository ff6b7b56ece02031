"""Errors of the project, in one tree.

::

    TracingError
    ├─ InvalidValue (ValueError)      a protocol object with a wrong length, range or encoding
    │  ├─ InvalidKey
    │  ├─ InvalidInterval
    │  ├─ InvalidAdvertisement        .reason says which rule the bytes broke
    │  ├─ InvalidLog                  an encounter log, or a line or row of it; .fault says why
    │  └─ InvalidSetting              a wrong setting; .place says where it is
    ├─ ExportFileError                a key file that must not be used
    │  ├─ UnsupportedHeader
    │  ├─ MalformedExport             truncated, lying about its sizes, or not protobuf
    │  └─ InvalidSignature            raised by verification, which never returns False
    ├─ TrustError                     a document of the server that no pinned key signed
    │  ├─ InvalidJoinFile             a wrong field of a join file; .place says which
    │  └─ InvalidJoinLine             an address or join line that a device may not use
    ├─ StoreError                     a database or folder; .path says which
    │  ├─ FileIsThere                 a file to be written whose name is taken
    │  ├─ StoreBusy
    │  ├─ StoreFull
    │  │  └─ StoreReadOnly            the whole file system is read-only
    │  ├─ StoreDamaged
    │  ├─ StoreSealed                the key to its secrets is missing or wrong
    │  └─ SchemaMismatch              written by a newer version of the program
    ├─ RadioError                     .reason says what is wrong with the adapter
    ├─ NotPossible                    a command in the wrong state; .code names the reason
    ├─ ServerError                    the key server, seen from a device
    │  ├─ ServerUnreachable
    │  └─ ServerRefused               .code is the server's machine-readable word
    ├─ PublishRejected                an upload, seen from the server; .code goes to the client
    └─ MissingExtra (ImportError)     a library of an extra that is not installed

The text of each error is one line: the cause, then what to do. Commands print this line and exit
with 1. No text contains a key, an identifier or an address.
"""

from __future__ import annotations

import enum
import importlib
from os import PathLike
from types import ModuleType

__all__ = [
    "AdvertisementFault",
    "ExportFileError",
    "FileIsThere",
    "InvalidAdvertisement",
    "InvalidInterval",
    "InvalidJoinFile",
    "InvalidJoinLine",
    "InvalidKey",
    "InvalidLog",
    "InvalidSetting",
    "InvalidSignature",
    "InvalidValue",
    "LogFault",
    "MalformedExport",
    "MissingExtra",
    "NotPossible",
    "PublishRejected",
    "RadioError",
    "RadioFault",
    "SchemaMismatch",
    "ServerError",
    "ServerRefused",
    "ServerUnreachable",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreReadOnly",
    "StoreSealed",
    "TracingError",
    "TrustError",
    "UnsupportedHeader",
    "require",
]


class TracingError(Exception):
    """Root of every error that this project raises on purpose."""

    vi: str = ""
    """The same text in Vietnamese; "" where nothing more is known than the kind of error."""


class InvalidValue(TracingError, ValueError):
    """A protocol object has a wrong length, range or encoding."""


class InvalidKey(InvalidValue):
    """Key bytes, or numbers that belong to a key, are outside the protocol."""


class InvalidInterval(InvalidValue):
    """An interval number is negative or does not fit 32 bits."""


class AdvertisementFault(enum.Enum):
    """Why received data is not an Exposure Notification advertisement."""

    TRUNCATED = "a structure ends after the data"
    NO_SERVICE_DATA = "no Service Data for 0xFD6F"
    WRONG_LENGTH = "Service Data for 0xFD6F is not 20 bytes"
    REPEATED = "two different identifiers in the Service Data for 0xFD6F"


class InvalidAdvertisement(InvalidValue):
    """Received advertising data is not an Exposure Notification advertisement."""

    def __init__(self, reason: AdvertisementFault) -> None:
        super().__init__(reason.value)
        self.reason = reason


class LogFault(enum.Enum):
    """Why an encounter log cannot be read."""

    UNKNOWN = "it is of no known form"
    PACKED = "it is inside an archive"
    LINE = "a line or row of it is wrong"
    DAMAGED = "it is damaged"
    MISSING = "a file of its folder is missing"
    OWN = "it is the log that it would be added to"
    JOURNAL = "its journal names another file"
    FIXED = "its identifiers never change"
    SEALED = "its identifiers can be read by their authority only"
    ADDRESSES = "it holds addresses in place of identifiers"
    PLACES = "it holds places in place of sightings"


class InvalidLog(InvalidValue):
    """An encounter log, or a line or row of it, cannot be read.

    Parameters
    ----------
    message
        What is wrong and what to do.
    fault
        The kind of fault, for programs; None where no program needs it.
    path
        The file or folder; "" if unknown.
    line
        The number of the line or row; 0 if the whole log is at fault.
    """

    def __init__(
        self,
        message: str,
        fault: LogFault | None = None,
        *,
        path: str | PathLike[str] = "",
        line: int = 0,
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.path = str(path)
        self.line = line


class InvalidSetting(InvalidValue):
    """A setting is unknown or wrong.

    Parameters
    ----------
    place
        Where the setting is: a file and its name, or an environment variable.
    what
        What is wrong with it.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}: correct it")
        self.place = place
        self.what = what

    def at(self, place: str) -> InvalidSetting:
        """Return the same error with another place, where the owner finds the setting."""
        moved = InvalidSetting(place, self.what)
        moved.vi = place + self.vi.removeprefix(self.place)
        return moved


class ExportFileError(TracingError):
    """A key file must not be used."""


class UnsupportedHeader(ExportFileError):
    """The file does not begin with the header of version 1."""


class MalformedExport(ExportFileError):
    """The file is truncated, lies about its sizes, or contains values outside the protocol."""


class InvalidSignature(ExportFileError):
    """No signature of the file verifies with the given key."""


class TrustError(TracingError):
    """A document of the server is not signed by a key this device has pinned."""


class InvalidJoinFile(TrustError):
    """A join file has a wrong field, or is not one.

    Parameters
    ----------
    place
        The file, and the name of the field if one is at fault.
    what
        What is wrong and what to do.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place


class InvalidJoinLine(TrustError):
    """A device may not use this server's address or join line."""


class StoreError(TracingError):
    """A database or folder cannot be used.

    Parameters
    ----------
    message
        What is wrong and what to do.
    path
        The file or folder; "" if unknown.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class FileIsThere(StoreError):
    """A file is to be written whose name is taken.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(
            f"{path} is already there: choose another name, or replace it with --force", str(path)
        )


class StoreBusy(StoreError):
    """Another process kept the database locked for too long."""


class StoreFull(StoreError):
    """The disk is full or cannot be written to."""


class StoreReadOnly(StoreFull):
    """The file system is read-only; a worn-out card's becomes read-only by itself."""


class StoreDamaged(StoreError):
    """The file is not a database, or is damaged."""


class StoreSealed(StoreError):
    """The key to the secrets in a database is missing or wrong."""


class SchemaMismatch(StoreError):
    """The database was written by a newer version of the program."""


class RadioFault(enum.Enum):
    """What is wrong with the radio."""

    NO_ADAPTER = "no adapter"
    NO_SERVICE = "the system's Bluetooth service does not run"
    POWERED_OFF = "the adapter is off"
    PERMISSION = "no right to use the adapter"
    NO_ADVERTISER = "the adapter cannot advertise"
    NO_LOW_ENERGY = "the adapter has no Bluetooth Low Energy"
    CONNECTION_LOST = "the adapter went away"
    REFUSED = "the adapter refused a command"
    UNREADABLE_CAPTURE = "the capture file cannot be read"
    CUT_CAPTURE = "the capture file ends inside a record"
    UNKNOWN_RADIO = "no such kind of radio"


class RadioError(TracingError):
    """The radio cannot do what the agent needs.

    Parameters
    ----------
    reason
        What is wrong, for programs.
    message
        What is wrong and what to do.
    vi
        The same in Vietnamese; "" if there is only English.
    """

    def __init__(self, reason: RadioFault, message: str, *, vi: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.vi = vi


class NotPossible(TracingError):
    """A command cannot be carried out in the state that this device is in.

    Parameters
    ----------
    code
        The stable word for programs, such as ``running`` or ``no_home``.
    message
        What is wrong and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ServerError(TracingError):
    """The key server did not do what a device asked."""


class ServerUnreachable(ServerError):
    """No answer: no network, wrong address, or the server is down."""


class ServerRefused(ServerError):
    """The server answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PublishRejected(TracingError):
    """An upload breaks a rule of the server.

    Parameters
    ----------
    code
        The stable word that goes to the client, from Google's list (``bad_request``, …).
    message
        What is wrong, for the person who wrote the client; it contains no key.
    status
        The HTTP status to answer with.
    """

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class MissingExtra(TracingError, ImportError):
    """A library of an optional extra is not installed.

    Parameters
    ----------
    library
        The library's name.
    extra
        The extra of this distribution that installs the library.
    """

    def __init__(self, library: str, *, extra: str) -> None:
        super().__init__(
            f"{library} is not installed: run pip install '.[{extra}]' in the project's folder"
        )
        self.library = library
        self.extra = extra


def require(module: str, *, extra: str) -> ModuleType:
    """Import and return an optional library.

    Raises
    ------
    MissingExtra
        When the library is absent; the text says how to install it.
    """
    try:
        # First the whole library: while another thread imports that, the import of a part does not
        # wait. It finds obstore's folder of type hints in place of a module that is still to come.
        importlib.import_module(module.partition(".")[0])
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingExtra(error.name, extra=extra) from error
