import re
import sys
import threading
import time
import types

import pytest

from tracing_core import errors
from tracing_core.errors import MissingExtra, TracingError, require


def drawn_tree() -> dict[str, str]:
    """Return each class of the docstring's tree with what it stands under."""
    lines = errors.__doc__.split("::")[1].split("\n\n")[1].splitlines()
    above: list[tuple[int, str]] = []
    found = {}
    for line in lines:
        match = re.match(r"([ │├└─]*)(\w+)(?: \((\w+)\))?", line)
        depth, name, mixed_in = len(match[1]), match[2], match[3]
        while above and above[-1][0] >= depth:
            above.pop()
        parents = [above[-1][1]] if above else []
        found[name] = tuple(parents + ([mixed_in] if mixed_in else []))
        above.append((depth, name))
    return found


def test_the_drawn_tree_is_the_tree():
    real = {
        name: tuple(base.__name__ for base in value.__bases__)
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, TracingError)
    }
    real["TracingError"] = ()
    assert drawn_tree() == real


def test_every_error_is_exported():
    assert set(drawn_tree()) < set(errors.__all__)


def test_a_library_that_is_not_there_is_named_with_the_line_to_type():
    with pytest.raises(MissingExtra, match=r"pip install '\.\[hci\]'") as caught:
        require("no_such_library.part", extra="hci")
    assert str(caught.value).startswith("no_such_library is not installed")
    assert isinstance(caught.value, ImportError)


def test_a_library_that_is_there_is_returned():
    assert require("json.decoder", extra="hci").__name__ == "json.decoder"


def test_a_library_that_misses_another_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_a_library.py").write_text("import its_other_half\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError) as caught:
        require("half_a_library", extra="hci")
    assert not isinstance(caught.value, MissingExtra)


def test_a_part_of_a_library_waits_until_another_thread_has_imported_the_whole(
    tmp_path, monkeypatch
):
    """A server's first request met its worker: 500, as obstore was only half there."""
    # Its part is a module that it makes itself. The folder of that name holds only type hints.
    (tmp_path / "slow_library" / "part").mkdir(parents=True)
    (tmp_path / "slow_library" / "__init__.py").write_text(
        "import other_thread, sys, types\n"
        "other_thread.go()\n"
        "sys.modules['slow_library.part'] = types.SimpleNamespace(VALUE=1)\n"
    )
    begun = threading.Event()
    found = []

    def import_part():
        assert begun.wait(60)
        found.append(require("slow_library.part", extra="server"))

    def waits_for_a_lock():
        frame = sys._current_frames().get(second.ident)
        return frame is not None and frame.f_code.co_name == "acquire"

    def go():
        begun.set()
        for _ in range(10_000):
            if not second.is_alive() or waits_for_a_lock():
                break
            time.sleep(0.001)

    second = threading.Thread(target=import_part)
    other = types.ModuleType("other_thread")
    other.go = go
    monkeypatch.setitem(sys.modules, "other_thread", other)
    monkeypatch.syspath_prepend(tmp_path)
    second.start()
    require("slow_library", extra="server")
    second.join(60)
    assert found[0].VALUE == 1


def test_errors_that_carry_more_than_their_text():
    refused = errors.ServerRefused("code_expired", "ask for a new code")
    assert (refused.code, str(refused)) == ("code_expired", "ask for a new code")
    rejected = errors.PublishRejected("bad_request", "no keys")
    assert (rejected.code, rejected.status, str(rejected)) == ("bad_request", 400, "no keys")
    fault = errors.RadioFault.NO_ADAPTER
    assert errors.RadioError(fault, "plug one in").reason is fault
