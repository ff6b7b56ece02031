"""The operator's tables: what spreadsheets write, and what people get wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.areas.table import MAX_TABLE_BYTES, MOST_ROWS, BadTable, read_areas, read_levels
from tests.areas import LEVELS, csv_of, invented_areas
from tests.tracing_core.refusals import check_one_line, may_refuse
from tracing_core.errors import InvalidValue, StoreError
from tracing_core.trust.signed_areas import Area, AreaLevel

AREAS = invented_areas(3, 10)
LEVEL_TABLE = "level,vi,en\n1,thấp,low\n2,cao,high\n"


@pytest.fixture
def table(tmp_path):
    def write(content):
        path = tmp_path / "areas.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def bad_rows(path, levels=4):
    with pytest.raises(BadTable) as caught:
        read_areas(path, levels)
    check_one_line(caught.value)
    for row in caught.value.rows:
        assert str(row).isprintable()
    return [(row.line, row.values[0], row.reason) for row in caught.value.rows]


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_write_is_read(table, separator, encoding):
    path = table(csv_of(AREAS, separator).encode(encoding))
    assert read_areas(path, len(LEVELS)) == tuple(AREAS)


def test_columns_may_be_in_any_order_in_either_language_among_others(table):
    path = table(
        'sep=;\r\nCấp;Ghi chú;TÊN;Mã;Thuộc\r\n;;" Tỉnh\u00a0 Mây ";01;\r\n;;;;\r\n'
        '3;"một;hai";Xa\u0303 Nắng;00004;01\r\n\r\n'
    )
    assert read_areas(path, 4) == (
        Area("01", "Tỉnh Mây"),
        Area("00004", "Xã Nắng", "01", 3),
    )


def test_a_whole_country_is_read(table):
    areas = invented_areas()
    assert read_areas(table(csv_of(areas)), 4) == tuple(areas)


def test_every_bad_row_is_named_with_its_line_and_reason(table):
    path = table(
        "code,name,parent,level\n"
        "01,Tỉnh Mây,,\n"
        "00004,Xã Nắng,01,5\n"
        ",Xã Gió,01,1\n"
        "00005,,01,1\n"
        "\n"
        "00006,Xã Sen,02,1\n"
        "00007,Xã Sen,01,1.5\n"
        "00006,Xã Mai,01,1\n"
        "0 8,Xã Đá,01,1\n"
        "00009,Xã Hồ,00007,1\n"
        "00010,Xã Trúc,00004,1\n"
        f"00011,{'Xã' * 60},01,1\n"
        "00012,Xã \x1b[31mĐỏ,01,1\n"
        "00013\n"
    )
    assert bad_rows(path) == [
        (3, "00004", "level must be a whole number from 1 to 4, or empty, not '5'"),
        (4, "", "code must be 1 to 20 letters, digits and hyphens"),
        (5, "00005", "name must be one line and not empty"),
        (7, "00006", "there is no area 02 for it to be in"),
        (8, "00007", "level must be a whole number from 1 to 4, or empty, not '1.5'"),
        (9, "00006", "the code is already in line 7"),
        (10, "0 8", "code must be 1 to 20 letters, digits and hyphens"),
        (13, "00011", "name must be plain text of at most 100 letters"),
        (14, "00012", "name must be plain text of at most 100 letters"),
        (15, "00013", "name must be one line and not empty"),
    ]
    with pytest.raises(BadTable, match="10 of 13 rows cannot be used, so nothing has changed"):
        read_areas(path, 4)


def test_a_bad_row_does_not_make_all_in_it_bad(table):
    path = table("code,name,parent,level\n01,Tỉnh,,9\n00004,Xã,01,1\n00005,Xã,00004,1\n")
    assert bad_rows(path) == [
        (2, "01", "level must be a whole number from 1 to 4, or empty, not '9'"),
        (4, "00005", "the area 00004 is itself in another one"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "there are no rows below the line with code, name, parent, level"),
        (b"code,name,parent,level\n,,,\n", "there are no rows"),
        (b"code,name,parent\n01,x,\n", "line 1 has no column 'level': the first line must name"),
        (b"code,name,parent,level,Level\n", "line 1 has more than one column 'level'"),
        (b"01,x,,1\n", "line 1 has no column 'code'"),
        (b'code,name,parent,level\n01,"x,,1\n', "line 2 is not CSV"),
        (b"code,name,parent,level\n01,x\x00,,1\n02,\xff,,\n", "line 3 is not UTF-8: save the"),
        ("code,name,parent,level\n01,Tỉnh,,1\n".encode("utf-16")[:-1], "is not UTF-8"),
        (b"x" * (MAX_TABLE_BYTES + 1), f"larger than {MAX_TABLE_BYTES} bytes"),
        (b"code,name,parent,level\n" + b"1,x,,1\n" * (MOST_ROWS + 1), f"{MOST_ROWS} rows at most"),
        (b"code,name,parent,level\n1," + b"x" * 200_000, "is not CSV"),
    ],
    ids=[
        *("nothing", "empty", "column", "twice", "title", "quote", "bytes"),
        *("half", "size", "rows", "cell"),
    ],
)
def test_what_is_no_table_is_one_line(table, content, reason):
    with pytest.raises(InvalidValue, match=reason) as caught:
        read_areas(table(content), 4)
    check_one_line(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(StoreError) as caught:
        read_areas(tmp_path / "absent.csv", 4)
    check_one_line(caught.value)


def test_levels_are_named_in_order(table):
    assert read_levels(table(LEVEL_TABLE)) == (AreaLevel("thấp", "low"), AreaLevel("cao", "high"))
    with pytest.raises(BadTable) as caught:
        read_levels(table("level;vi;en\n1;thấp;\n3;cao;high\n"))
    assert [str(row) for row in caught.value.rows] == [
        "line 2: '1', 'thấp': en must be one line and not empty",
        "line 3: '3', 'cao': level must be 2: name the levels in order, from 1 up",
    ]


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_file_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "areas.csv"
    path.write_bytes(b"code,name,parent,level\n" + content)
    with may_refuse(InvalidValue):
        read_areas(path, 4)
