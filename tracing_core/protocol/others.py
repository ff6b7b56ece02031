"""The protocols other than Exposure Notification whose sightings an agent keeps, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracing_core.protocol.bluezone import BLUEZONE
from tracing_core.protocol.dp3t import DP3T
from tracing_core.protocol.slots import TracingProtocol

__all__ = ["OTHER_PROTOCOLS"]

OTHER_PROTOCOLS: Mapping[str, TracingProtocol[Any]] = {
    protocol.name: protocol for protocol in (BLUEZONE, DP3T)
}
"""The protocols by name."""
