"""The best radio of this device, chosen again each time it is opened."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ble_agent.messages.explanation import explain
from ble_agent.messages.language import Text
from ble_agent.messages.radio import RADIO_TEXTS, radio_error, radio_text
from ble_agent.radio.protocol import Capabilities, Finding, Heard, Radio
from tracing_core.clock import Clock
from tracing_core.errors import AdvertisementFault, MissingExtra, RadioError, RadioFault
from tracing_core.protocol.advertisement import Advertisement

__all__ = ["AutoRadio"]

_logger = logging.getLogger(__name__)

# In the order in which they are tried. hci is never chosen: it would take the adapter away from
# every other program.
_KINDS, _ANDROID_KINDS = ("mgmt", "bluez"), ("android",)


class AutoRadio:
    """The first kind of radio that opens and sends.

    A kind that refuses to send is skipped the next time the radio is opened, as long as there is
    another kind.

    Parameters
    ----------
    clock
        The agent's clock.
    make
        Makes a radio of a kind: `ble_agent.radio.opening.open_radio`.
    language
        Language of the log's lines.
    """

    exhausted = False

    def __init__(
        self, clock: Clock, make: Callable[[str, Clock], Radio], *, language: str = "en"
    ) -> None:
        self.clock = clock
        self._language = language
        self._make = make
        self._radios: dict[str, Radio] = {}
        self._radio: Radio | None = None
        self._kind = ""
        self._unfit: dict[str, RadioError | MissingExtra] = {}
        self._failures: dict[str, RadioError | MissingExtra] = {}

    @property
    def name(self) -> str:
        """``auto``, with the chosen kind once it is open."""
        return f"auto ({self._kind})" if self._kind else "auto"

    @property
    def capabilities(self) -> Capabilities:
        """What the chosen radio can do; nothing before one is chosen."""
        if self._radio is None:
            return Capabilities(False, False, False, False, "not open yet")
        return self._radio.capabilities

    @property
    def rejected(self) -> Counter[AdvertisementFault]:
        """Number of received advertisements without an identifier, by reason."""
        return sum((radio.rejected for radio in self._radios.values()), Counter())

    @property
    def without_rssi(self) -> int:
        """Number of identifiers received without a signal strength."""
        return sum(radio.without_rssi for radio in self._radios.values())

    async def __aenter__(self) -> Self:
        kinds = _ANDROID_KINDS if _is_android() else _KINDS
        if all(kind in self._unfit for kind in kinds):
            self._unfit.clear()
        failures: dict[str, RadioError | MissingExtra] = dict(self._unfit)
        for kind in kinds:
            if kind in self._unfit:
                continue
            try:
                # A radio that is opened again remembers whether someone switched it off,
                if kind not in self._radios:
                    self._radios[kind] = self._make(kind, self.clock)
                radio = await self._radios[kind].__aenter__()
            except (RadioError, MissingExtra) as error:
                is_off = isinstance(error, RadioError) and error.reason is RadioFault.POWERED_OFF
                if is_off and kind == self._kind:
                    # and another kind would switch it on again.
                    raise
                failures[kind] = error
                continue
            self._radio, self._kind, self._failures = radio, kind, failures
            self._log_choice()
            return self
        raise _none_opens(failures)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        radio, self._radio = self._radio, None
        if radio is not None:
            await radio.__aexit__(kind, error, traceback)

    async def rotate(self, advertisement: Advertisement | None) -> None:
        """Pass on to the chosen radio; one that refuses is not chosen the next time."""
        assert self._radio is not None
        try:
            await self._radio.rotate(advertisement)
        except RadioError as error:
            if error.reason in (RadioFault.REFUSED, RadioFault.NO_ADVERTISER):
                self._unfit[self._kind] = error
            raise

    async def scan(self, seconds: float, heard: Callable[[Heard], None]) -> None:
        """Pass on to the chosen radio."""
        assert self._radio is not None
        await self._radio.scan(seconds, heard)

    async def rest(self, seconds: float) -> None:
        """Pass on to the chosen radio."""
        assert self._radio is not None
        await self._radio.rest(seconds)

    async def self_test(self) -> list[Finding]:
        """Return why this radio was chosen, why others were rejected, and its own self-test."""
        assert self._radio is not None
        reason = RADIO_TEXTS[f"chosen_{self._kind}"]
        findings = [Finding(True, radio_text("test_chosen", radio=self._radio.name, reason=reason))]
        findings += [
            Finding(True, radio_text("test_not_chosen", radio=kind, reason=_in_words(why)))
            for kind, why in self._failures.items()
        ]
        return findings + await self._radio.self_test()

    def _log_choice(self) -> None:
        assert self._radio is not None
        reason = RADIO_TEXTS[f"chosen_{self._kind}"]
        lines = [radio_text("log_chosen", radio=self._radio.name, reason=reason)]
        lines += [
            radio_text("log_not_chosen", radio=kind, reason=_in_words(why))
            for kind, why in self._failures.items()
        ]
        for line in lines:
            _logger.info("%s", line.in_(self._language))


def _is_android() -> bool:
    # Detect python-for-android by its environment variable, as bleak does.
    return sys.platform == "android" or "P4A_BOOTSTRAP" in os.environ


def _none_opens(failures: dict[str, RadioError | MissingExtra]) -> RadioError:
    """Return why each kind cannot be opened; the last, which needs the least, gives the reason."""
    last = list(failures.values())[-1]
    reason = last.reason if isinstance(last, RadioError) else RadioFault.NO_ADAPTER
    lines = {kind: _in_words(error) for kind, error in failures.items()}
    return radio_error(
        reason,
        "none_opens",
        failures=Text(
            "".join(f"\n  {kind}: {why.en}" for kind, why in lines.items()),
            "".join(f"\n  {kind}: {why.vi}" for kind, why in lines.items()),
        ),
    )


def _in_words(error: RadioError | MissingExtra) -> Text:
    return Text(explain(error, "en"), explain(error, "vi"))
