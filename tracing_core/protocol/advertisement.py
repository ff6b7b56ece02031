"""Advertising data that carries an identifier (GAEN Bluetooth v1.2, "Advertising Payload")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tracing_core.errors import AdvertisementFault, InvalidAdvertisement, InvalidValue
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH

__all__ = ["FLAGS", "SERVICE_UUID", "Advertisement"]

SERVICE_UUID = 0xFD6F
"""The 16-bit UUID of the Exposure Notification service."""

FLAGS = 0x1A
"""Flags of the specification: LE General Discoverable; LE and BR/EDR at controller and host."""

_AD_FLAGS = 0x01
_AD_COMPLETE_UUIDS16 = 0x03
_AD_SERVICE_DATA16 = 0x16
_UUID = SERVICE_UUID.to_bytes(2, "little")


def _structures(data: bytes) -> Iterator[tuple[int, bytes] | None]:
    """Yield the structures as kind and value, and None for one that ends after the data."""
    at = 0
    while at < len(data):
        length = data[at]
        if length == 0:
            # Core specification, part 11: a zero length ends the significant part early.
            return
        if at + 1 + length > len(data):
            yield None
            return
        yield data[at + 1], data[at + 2 : at + 1 + length]
        at += 1 + length


@dataclass(frozen=True, slots=True)
class Advertisement:
    """An identifier and its metadata, as sent.

    Raises
    ------
    InvalidValue
        When a length is wrong.
    """

    rpi: bytes = field(repr=False)
    """Rolling Proximity Identifier, 16 bytes."""
    aem: bytes = field(repr=False)
    """Associated Encrypted Metadata, 4 bytes."""

    def __post_init__(self) -> None:
        if len(self.rpi) != RPI_LENGTH or len(self.aem) != AEM_LENGTH:
            raise InvalidValue("an advertisement has 16 bytes of identifier and 4 of metadata")

    @property
    def service_data(self) -> bytes:
        """The 20 bytes of Service Data after the UUID."""
        return self.rpi + self.aem

    def encode(self, *, flags: int | None = FLAGS) -> bytes:
        """Return the advertising data: 31 bytes with Flags, 28 without (as Android sends)."""
        head = b"" if flags is None else bytes([2, _AD_FLAGS, flags])
        body = self.service_data
        return (
            head
            + bytes([3, _AD_COMPLETE_UUIDS16])
            + _UUID
            + bytes([3 + len(body), _AD_SERVICE_DATA16])
            + _UUID
            + body
        )

    @classmethod
    def decode(cls, data: bytes) -> Advertisement:
        """Read received advertising data: structures in any order, with any Flags or none.

        A complete identifier counts, whatever stands before or after it: some controllers add
        stray bytes. Two different ones in one packet count as neither.

        Raises
        ------
        InvalidAdvertisement
            When the data carries no identifier; `reason` says why. What comes off the air is
            untrusted input, so this is not a fault: radios catch it and count it.
        """
        structures = list(_structures(data))
        bodies = [
            each[1][2:]
            for each in structures
            if each is not None and each[0] == _AD_SERVICE_DATA16 and each[1][:2] == _UUID
        ]
        complete = {body for body in bodies if len(body) == RPI_LENGTH + AEM_LENGTH}
        if len(complete) > 1:
            raise InvalidAdvertisement(AdvertisementFault.REPEATED)
        if complete:
            return cls.from_service_data(complete.pop())
        if None in structures:
            raise InvalidAdvertisement(AdvertisementFault.TRUNCATED)
        if bodies:
            raise InvalidAdvertisement(AdvertisementFault.WRONG_LENGTH)
        raise InvalidAdvertisement(AdvertisementFault.NO_SERVICE_DATA)

    @classmethod
    def from_service_data(cls, body: bytes) -> Advertisement:
        """Read the Service Data after the UUID, in the form that operating systems deliver.

        Raises
        ------
        InvalidAdvertisement
            When `body` is not 20 bytes long.
        """
        if len(body) != RPI_LENGTH + AEM_LENGTH:
            raise InvalidAdvertisement(AdvertisementFault.WRONG_LENGTH)
        return cls(bytes(body[:RPI_LENGTH]), bytes(body[RPI_LENGTH:]))
