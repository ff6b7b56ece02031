"""Reception: what every radio does with received packets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ble_agent.radio.protocol import Heard
from ble_agent.radio.reports import ReportReader
from tracing_core.errors import AdvertisementFault, InvalidAdvertisement
from tracing_core.protocol.advertisement import Advertisement

__all__ = ["Reception"]

_LOWEST_RSSI_DBM, _HIGHEST_RSSI_DBM = -127, 126


class Reception:
    """Decoder of received packets, with the counts behind `rejected` and `without_rssi`."""

    def __init__(self) -> None:
        self.rejected: Counter[AdvertisementFault] = Counter()
        """Advertisements without an identifier, by reason; a damaged event counts as truncated."""
        self.without_rssi = 0
        """Identifiers without a signal strength."""
        self._reader = ReportReader()

    def read_event(self, event: bytes, heard_at: float) -> Iterator[Heard]:
        """Read one HCI event, from its code on, and yield the identifiers in it."""
        damaged = self._reader.damaged
        for data, rssi_dbm in self._reader.read(event):
            heard = self.read(data, rssi_dbm, heard_at)
            if heard is not None:
                yield heard
        if self._reader.damaged > damaged:
            self.rejected[AdvertisementFault.TRUNCATED] += 1

    def read(self, data: bytes, rssi_dbm: int | None, heard_at: float) -> Heard | None:
        """Read the advertising data of one packet.

        Returns
        -------
        Heard or None
            None if it carries no identifier or its signal strength is unknown; both are counted.
        """
        try:
            advertisement = Advertisement.decode(data)
        except InvalidAdvertisement as error:
            self.rejected[error.reason] += 1
            return None
        return self._judge(advertisement, rssi_dbm, heard_at)

    def read_service_data(
        self, body: bytes | None, rssi_dbm: int | None, heard_at: float
    ) -> Heard | None:
        """Read Service Data from an operating system, which may be None."""
        try:
            if body is None:
                raise InvalidAdvertisement(AdvertisementFault.NO_SERVICE_DATA)
            advertisement = Advertisement.from_service_data(body)
        except InvalidAdvertisement as error:
            self.rejected[error.reason] += 1
            return None
        return self._judge(advertisement, rssi_dbm, heard_at)

    def _judge(
        self, advertisement: Advertisement, rssi_dbm: int | None, heard_at: float
    ) -> Heard | None:
        # 127 means unknown. Values from 21 on are reserved, but Apple's controllers do send them,
        # with valid identifiers.
        if rssi_dbm is None or not _LOWEST_RSSI_DBM <= rssi_dbm <= _HIGHEST_RSSI_DBM:
            self.without_rssi += 1
            return None
        return Heard(advertisement, rssi_dbm, heard_at)
