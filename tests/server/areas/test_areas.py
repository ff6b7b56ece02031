"""Setting, publishing and withdrawing the list of areas."""

import gzip
import json

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from server.app.app import create_app
from server.app.cli import server as server_command
from server.areas.rules import areas_document, current_areas, set_areas
from server.context import Server
from server.trust.chain import begin_chain, rotate_config_key
from tests.areas import LEVELS, csv_of, invented_areas
from tests.json_schemas import printed
from tests.server.homes import NOW, make_home, make_settings, open_server
from tests.tracing_core.refusals import check_one_line
from tracing_core.clock import ManualClock
from tracing_core.errors import InvalidValue, TracingError, TrustError
from tracing_core.trust.signed_areas import MAX_AREAS_BYTES, Area, SignedAreas

AREAS = invented_areas(3, 10)
LEVEL_TABLE = "level;vi;en\r\n" + "".join(
    f"{number};{level.vi};{level.en}\r\n" for number, level in enumerate(LEVELS, 1)
)
URL = "/v1/areas/VN"


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def server(tmp_path, clock):
    opened = open_server(tmp_path / "home", clock)
    begin_chain(opened.keys, "VN", NOW)
    yield opened
    opened.close()


@pytest.fixture
def client(server, clock):
    with TestClient(create_app(server.settings, clock)) as client:
        yield client


def verified(server, document):
    return SignedAreas.verify(document, server.keys.config_key().public_key())


def test_everyone_gets_the_whole_list_and_304_when_it_is_unchanged(server, client):
    areas = invented_areas()
    made = set_areas(server, "VN", LEVELS, areas)
    first = client.get(URL)
    assert first.status_code == 200
    assert first.headers["Content-Type"] == "application/jose"
    assert verified(server, first.text) == made
    assert made.areas == tuple(areas)
    assert len(first.content) < MAX_AREAS_BYTES / 2
    assert len(gzip.compress(first.content)) < 64 << 10
    tag = first.headers["ETag"]
    again = client.get(URL, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag
    assert client.get(URL, headers={"If-None-Match": '"other"'}).content == first.content


def test_without_a_list_and_for_another_region_there_is_nothing(server, client):
    assert client.get(URL).status_code == 404
    set_areas(server, "VN", LEVELS, AREAS)
    assert client.get("/v1/areas/LA").status_code == 404


def test_each_list_has_a_higher_number_even_after_a_restore(server, clock):
    first = set_areas(server, "VN", LEVELS, AREAS)
    second = set_areas(server, "VN", LEVELS, AREAS)
    assert (first.sequence, second.sequence) == (int(NOW), int(NOW) + 1)
    clock.jump(NOW - 3_600)
    assert set_areas(server, "VN", LEVELS, AREAS).sequence == int(NOW) + 2
    clock.jump(NOW + 3_600)
    assert set_areas(server, "VN", LEVELS, AREAS).sequence == int(NOW) + 3_600


def test_a_withdrawn_list_is_signed_too(server, client):
    made = set_areas(server, "VN", LEVELS, AREAS)
    set_areas(server, "VN", LEVELS, ())
    empty = verified(server, client.get(URL).text)
    assert empty.areas == ()
    assert empty.sequence > made.sequence


def test_a_list_no_device_could_use_changes_nothing(server):
    set_areas(server, "VN", LEVELS, AREAS)
    before = areas_document(server, "VN")
    with pytest.raises(TrustError, match="code 01 is that of another area"):
        set_areas(server, "VN", LEVELS, [AREAS[0], AREAS[0]])
    with pytest.raises(TrustError, match="larger than 524288 bytes"):
        set_areas(server, "VN", LEVELS, [Area(f"{at:05}", "x" * 90) for at in range(6_000)])
    assert areas_document(server, "VN") == before


def test_a_new_configuration_key_signs_the_same_list_again(server, client):
    made = set_areas(server, "VN", LEVELS, AREAS)
    tag = client.get(URL).headers["ETag"]
    rotate_config_key(server.keys, "VN", NOW)
    answer = client.get(URL, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert verified(server, answer.text) == made
    assert client.get(URL).content == answer.content


def test_every_node_serves_the_same_bytes(server, tmp_path, clock):
    other = Server.open(make_settings(tmp_path / "home"), clock)
    try:
        set_areas(server, "VN", LEVELS, AREAS)
        assert areas_document(other, "VN") == areas_document(server, "VN")
        rotate_config_key(other.keys, "VN", NOW)
        assert areas_document(server, "VN") == areas_document(other, "VN")
        assert current_areas(other, "VN") == current_areas(server, "VN")
    finally:
        other.close()


@pytest.fixture
def run(tmp_path):
    home = make_home(tmp_path / "typed")

    def type_(*words, **kwargs):
        done = CliRunner().invoke(
            server_command, ["areas", *words, "--home", str(home)], catch_exceptions=True, **kwargs
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            assert isinstance(done.exception, TracingError), done.exception
            check_one_line(done.exception)
        return done

    return type_


@pytest.fixture
def files(tmp_path):
    levels, areas = tmp_path / "levels.csv", tmp_path / "areas.csv"
    levels.write_bytes(LEVEL_TABLE.encode("utf-8-sig"))
    areas.write_bytes(csv_of(AREAS, ";").encode("utf-8-sig"))
    return levels, areas


def test_an_operator_sets_shows_and_clears_a_list(run, files):
    levels, areas = files
    assert run("show").output == "No areas are published.\n"
    assert "name them once with --levels" in str(run("set", str(areas)).exception)
    said = run("set", str(areas), "--levels", str(levels)).output
    assert said.startswith("13 areas of VN (3 at the top, 10 inside them), set ")
    assert "  1: 4  Cấp 1: nguy cơ thấp / Level 1: low\n" in said
    assert "13 new, 0 gone, 0 with another level" in said
    changed = [*AREAS[:-2], Area(AREAS[-2].code, "Xã Mới", AREAS[-2].parent, 4)]
    areas.write_text(csv_of(changed))
    said = run("set", str(areas)).output
    assert "0 new, 1 gone, 1 with another level" in said
    assert f"  gone: {AREAS[-1].code} {AREAS[-1].name}\n" in said
    assert run("show").output.splitlines()[1:] == said.splitlines()[1:5]
    assert run("clear", input="n\n").exit_code == 1
    assert run("clear", "--yes").output == "12 areas withdrawn\n"
    assert run("clear").output == "0 areas withdrawn\n"
    assert run("show").output == "No areas are published.\n"
    assert run("set", str(areas)).exit_code == 0


def test_what_programs_read_is_as_described(run, files):
    levels, areas = files
    assert printed("server areas show", run("show", "--json").output)["sequence"] is None
    made = run("set", str(areas), "--levels", str(levels), "--json").output
    assert printed("server areas set", made)["new"] == [area.code for area in AREAS]
    shown = printed("server areas show", run("show", "--json").output)
    assert shown["areas"][-1]["name"] == AREAS[-1].name
    assert shown["levels"][3] == {"vi": LEVELS[3].vi, "en": LEVELS[3].en}
    cleared = run("clear", "--json").output
    assert printed("server areas clear", cleared) == {"cleared": 13}


def test_bad_rows_are_all_named_and_nothing_changes(run, files):
    levels, areas = files
    run("set", str(areas), "--levels", str(levels))
    before = json.loads(run("show", "--json").output)
    areas.write_text("code,name,parent,level\n01,Tỉnh,,1\n00004,Xã,07,1\n00005,Xã,01,5\n")
    done = run("set", str(areas))
    assert isinstance(done.exception, InvalidValue)
    assert done.stderr.splitlines() == [
        "line 3: '00004', 'Xã': there is no area 07 for it to be in",
        "line 4: '00005', 'Xã': level must be a whole number from 1 to 4, or empty, not '5'",
    ]
    assert "2 of 3 rows cannot be used, so nothing has changed" in str(done.exception)
    assert json.loads(run("show", "--json").output) == before


def test_zeros_that_a_spreadsheet_removed_are_noticed(run, files):
    levels, areas = files
    areas.write_text("code,name,parent,level\n1,Tỉnh,,1\n4,Xã,1,1\n31,Xã,1,2\n")
    said = run("set", str(areas), "--levels", str(levels)).stderr
    assert "codes have from 1 to 2 digits: if the spreadsheet removed zeros" in said
