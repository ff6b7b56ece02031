"""How properties are tried, and what may be skipped.

Few examples by default, many with HYPOTHESIS_PROFILE=thorough, hardly any with "quick".
With TRUYVET_NO_SKIPS set, as in continuous integration, a run that skips anything but the tests on
recordings has failed.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

_CALM = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", max_examples=100, **_CALM)
settings.register_profile("quick", max_examples=20, **_CALM)
settings.register_profile("thorough", max_examples=2000, **_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("TRUYVET_NO_SKIPS") or reporter is None:
        return
    recordings = "TRUYVET_RECORDINGS"
    skipped = [
        report.nodeid
        for report in reporter.stats.get("skipped", ())
        if os.environ.get(recordings) or recordings not in str(report.longrepr)
    ]
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"nothing may be skipped here: {', '.join(skipped)}", red=True)
