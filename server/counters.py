"""Counters of one running server. No label distinguishes one client from another."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["Counters"]


class Counters:
    """What one server has counted since it started; every server has its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        """All the counters, as Prometheus collects them."""
        self.keys_published = Counter(
            "truyvet_keys_published", "Keys taken from uploads.", registry=self.registry
        )
        self.keys_rejected = Counter(
            "truyvet_keys_rejected",
            "Keys or uploads refused, by rule.",
            ["rule"],
            registry=self.registry,
        )
        self.wrong_codes = Counter(
            "truyvet_wrong_codes", "Wrong codes, each counted once.", registry=self.registry
        )
        self.wrong_codes_last_hour = Gauge(
            "truyvet_wrong_codes_last_hour",
            "Wrong codes of the last hour; many mean that somebody guesses.",
            registry=self.registry,
        )
        self.code_bans = Counter(
            "truyvet_code_bans", "Clients banned for wrong codes.", registry=self.registry
        )
        self.requests_refused = Counter(
            "truyvet_requests_refused",
            "Requests answered with 429, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.cover_requests = Counter(
            "truyvet_cover_requests", "Requests of cover traffic.", registry=self.registry
        )
        self.exports_written = Counter(
            "truyvet_exports_written", "Key files published.", registry=self.registry
        )
        self.export_age_seconds = Gauge(
            "truyvet_export_age_seconds",
            "Seconds since the end of the last exported window.",
            registry=self.registry,
        )
        self.clock_doubt_seconds = Gauge(
            "truyvet_clock_doubt_seconds",
            "Seconds by which the clock is ahead of what is certain; keys in use are held back.",
            registry=self.registry,
        )
