"""The list of Bluezone keys of a server: published, signed, promised, withdrawn, and forgotten."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from server.app.app import create_app
from server.context import Server
from server.export.bluezone_list import publish_list, withdraw_list
from server.export.exporter import publish_index, run_due
from server.operation import retention
from server.store.key_folder import KeyFolder
from server.store.local_storage import LocalStorage
from server.trust.chain import begin_chain, rotate_export_key
from server.trust.config_document import current_config, set_contact
from tests.bluezone import list_of, record_of
from tests.server.homes import NOW, open_server
from tracing_core.clock import ManualClock
from tracing_core.errors import InvalidValue, StoreError
from tracing_core.export_file import read_index
from tracing_core.export_file.bluezone_file import SignedBluezoneList, count_signatures, verify_list
from tracing_core.protocol.bluezone import BluezoneKey
from tracing_core.trust.signed_config import SignedConfig
from tracing_core.trust.trust_chain import verify_trust_chain

DAY = 86_400
FIRST = BluezoneKey(bytes(32), int(NOW) - 9 * DAY, int(NOW) - 7 * DAY)
SECOND = BluezoneKey(bytes([1]) * 32, int(NOW) - 5 * DAY, int(NOW) - 4 * DAY)


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def server(tmp_path, clock):
    server = open_server(tmp_path / "home", clock, export_padding_keys=20, export_padding_spread=2)
    begin_chain(server.keys, "VN", NOW)
    set_contact(server.settings.home, None)
    yield server
    server.close()


def folder(server: Server) -> Path:
    return server.settings.home / "exports/VN"


def stored(server: Server) -> SignedBluezoneList:
    """Return the list as a device accepts it: by the keys of the newest trust document."""
    trust = verify_trust_chain(
        server.keys.manifest().documents, fingerprint=server.keys.manifest().fingerprint, last=None
    )
    keys = [key.public_key for key in trust.export_keys]
    data, signatures = (folder(server) / name for name in ("bluezone.json", "bluezone.json.sig"))
    return verify_list(data.read_bytes(), signatures.read_bytes(), keys)


def published(server: Server) -> list[BluezoneKey]:
    return [key for _, key in stored(server).records.keys]


def promised(server: Server) -> int | None:
    document = current_config(server.keys, "VN", server.settings, server.clock.now())
    return SignedConfig.verify(document, server.keys.config_key().public_key()).bluezone_list


def test_it_is_promised_only_while_it_is_there(server, clock):
    run_due(server, "VN")
    assert promised(server) is None
    before = (folder(server) / "index.txt").read_bytes()
    assert publish_list(server, "VN", list_of([SECOND, FIRST])).records == 2
    assert published(server) == [FIRST, SECOND]
    assert promised(server) == stored(server).sequence == int(NOW)
    # No older device comes across it.
    assert (folder(server) / "index.txt").read_bytes() == before
    assert b"bluezone" not in (folder(server) / "index.jws").read_bytes()
    clock.advance(10 * 3_600)
    assert run_due(server, "VN")
    assert published(server) == [FIRST, SECOND]
    assert withdraw_list(server, "VN")
    assert promised(server) is None
    assert not list(folder(server).glob("bluezone*"))
    assert not withdraw_list(server, "VN")
    publish_index(server, "VN")
    assert len(read_index((folder(server) / "index.txt").read_bytes())) > 0


def test_its_number_rises_whatever_the_clock_shows(server, clock):
    numbers = []
    for change in (0, 0, -3_000, 5_000):
        clock.advance(change)
        publish_list(server, "VN", list_of([SECOND]))
        numbers.append(stored(server).sequence)
        assert promised(server) == numbers[-1]
        withdraw_list(server, "VN")
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([{**record_of(FIRST), "max": 289}], r"data\[0\]\.max"),
        ([record_of(SECOND), {**record_of(FIRST), "max": 0}], r"data\[1\]\.max"),
        ([{**record_of(FIRST), "time_end": FIRST.time_start + 31 * DAY}], r"data\[0\]\.time_end"),
        ([{**record_of(FIRST), "time_end": int(NOW) + 1}], "must not lie in the future"),
        ([record_of(BluezoneKey(bytes(32), 0, 5))], "too old"),
        ([], "too old"),
        ([record_of(FIRST)] * 10_001, "at most 10,000 records"),
    ],
    ids=["289", "0", "31-days", "future", "old", "empty", "many"],
)
def test_a_list_with_one_fault_is_not_published(server, records, why):
    publish_list(server, "VN", list_of([SECOND]))
    with pytest.raises(InvalidValue, match=why):
        publish_list(server, "VN", json.dumps({"data": records}).encode())
    assert published(server) == [SECOND]


def test_ten_thousand_records_fit(server):
    keys = [BluezoneKey(n.to_bytes(32), FIRST.time_start, FIRST.time_end) for n in range(10_000)]
    assert publish_list(server, "VN", list_of(keys)).records == 10_000
    assert published(server) == keys


def test_every_present_export_key_signs_it_and_no_other(server, clock):
    publish_list(server, "VN", list_of([SECOND]))
    signatures = folder(server) / "bluezone.json.sig"
    first = signatures.read_bytes()
    assert count_signatures(first) == 1
    rotate_export_key(server.keys, "VN", server.settings, clock.now())
    publish_index(server, "VN")
    assert count_signatures(signatures.read_bytes()) == 2
    assert published(server) == [SECOND]
    # A device that missed the change still has the first key.
    clock.advance(2 * DAY)
    later = BluezoneKey(bytes([2]) * 32, int(NOW), int(NOW) + DAY)
    publish_list(server, "VN", list_of([later]))
    clock.advance(12 * DAY + 1)
    retention.run(server, "VN")
    publish_index(server, "VN")
    assert count_signatures(signatures.read_bytes()) == 1
    assert published(server) == [later]
    unchanged = signatures.read_bytes()
    publish_index(server, "VN")
    assert signatures.read_bytes() == unchanged


def test_it_leaves_fourteen_days_after_its_last_record(server, clock):
    publish_list(server, "VN", list_of([FIRST, SECOND]))
    clock.advance(10 * DAY)
    retention.run(server, "VN")
    assert published(server) == [FIRST, SECOND]
    clock.advance(1)
    retention.run(server, "VN")
    assert promised(server) is None
    assert not list(folder(server).glob("bluezone*"))


class Died(Exception):
    pass


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
@pytest.mark.parametrize("step", range(1, 6))
def test_wherever_it_dies_promise_list_and_signatures_agree(
    server, clock, monkeypatch, step, is_first
):
    if not is_first:
        publish_list(server, "VN", list_of([FIRST]))
        clock.advance(60)
    left = [step]

    def dying(method):
        def call(*arguments):
            left[0] -= 1
            if left[0] == 0:
                raise Died
            result = method(*arguments)
            left[0] -= 1
            if left[0] == 0:
                raise Died
            return result

        return call

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "publish", dying(LocalStorage.publish))
        patch.setattr(KeyFolder, "update", dying(KeyFolder.update))
        with pytest.raises(Died):
            publish_list(server, "VN", list_of([SECOND]))
    for _ in range(2):
        if promised(server) is not None:
            assert stored(server).sequence >= promised(server)
        # The process starts again, and its worker looks at the indexes.
        publish_index(server, "VN")
    if promised(server) is None:
        assert not list(folder(server).glob("bluezone*"))
        assert is_first
    else:
        assert promised(server) == stored(server).sequence
        assert published(server) in ([FIRST], [SECOND])
    publish_list(server, "VN", list_of([SECOND]))
    assert published(server) == [SECOND]


def test_a_list_that_is_lost_or_replaced_stays_promised(server, clock, caplog):
    publish_list(server, "VN", list_of([SECOND]))
    path = folder(server) / "bluezone.json"
    path.write_bytes(b"{}")
    publish_index(server, "VN")
    assert promised(server) == int(NOW)
    assert "publish it again, or withdraw it" in caplog.text
    path.unlink()
    publish_index(server, "VN")
    assert promised(server) == int(NOW)
    publish_list(server, "VN", list_of([SECOND]))
    assert published(server) == [SECOND]


def test_a_full_disk_leaves_the_former_list(server, monkeypatch):
    publish_list(server, "VN", list_of([FIRST]))

    def full(*_):
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "stage", full)
        with pytest.raises(StoreError):
            publish_list(server, "VN", list_of([SECOND]))
    publish_index(server, "VN")
    assert published(server) == [FIRST]


def test_devices_fetch_it_once(server):
    app = create_app(server.settings, server.clock)
    with TestClient(app) as client:
        for name in ("bluezone.json", "bluezone.json.sig"):
            assert client.get(f"/exports/VN/{name}").status_code == 404
        publish_list(server, "VN", list_of([FIRST]))
        for name, kind in (
            ("bluezone.json", "application/json"),
            ("bluezone.json.sig", "application/octet-stream"),
        ):
            answer = client.get(f"/exports/VN/{name}")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == kind
            assert answer.content == (folder(server) / name).read_bytes()
            again = {"If-None-Match": answer.headers["etag"]}
            assert client.get(f"/exports/VN/{name}", headers=again).status_code == 304
            head = client.head(f"/exports/VN/{name}")
            assert head.headers["content-length"] == str(len(answer.content))
            assert client.get(f"/exports/XX/{name}").status_code == 404
        withdraw_list(server, "VN")
        assert client.get("/exports/VN/bluezone.json").status_code == 404


def test_a_record_of_keys_without_a_list_is_as_older_versions_wrote_it(server):
    path = server.settings.home / "keys/keys.json"
    assert "bluezone" not in json.loads(path.read_bytes())
    publish_list(server, "VN", list_of([FIRST]))
    assert json.loads(path.read_bytes())["bluezone"]["sequence"] == int(NOW)
    assert KeyFolder(server.settings.home).manifest() == server.keys.manifest()
