from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tracing_core.commands import Command, Group, Option, language_of
from tracing_core.texts import Text


@click.group(cls=Group, help=Text(en="Paint walls.", vi="Sơn tường."))
def painter():
    pass


@painter.command(help=Text(en="Paint one. It dries.", vi="Sơn một bức tường. Rồi chờ khô."))
@click.option("--lang", cls=Option, type=click.Choice(["vi", "en"]))
@click.option(
    "--coats",
    cls=Option,
    type=click.IntRange(1, 9),
    default=2,
    show_default=True,
    help=Text(en="How many coats.", vi="Số lớp sơn."),
)
@click.option("--tool", cls=Option, required=True, help=Text(en="With what.", vi="Dụng cụ."))
@click.option("--room", cls=Option, type=click.Path(exists=True, path_type=Path))
@click.option("--plain", is_flag=True, help="English alone.")
@click.argument("colour", type=click.Choice(["red", "blue"]))
def wall(lang, coats, tool, room, plain, colour):
    click.echo(f"{language_of()} {coats} {tool} {colour}")


@painter.command()
@click.argument("file", type=click.File("rb"))
def read(file):
    """A command that opens a file."""


@painter.command(cls=click.Command)
@click.argument("number", type=int)
def other(number):
    """A command that is not ours."""


def run(*arguments, lang=""):
    return CliRunner(env={"TRUYVET_LANG": lang}).invoke(painter, arguments, prog_name="painter")


def test_help_in_english():
    output = run("wall", "--help", lang="en").output
    assert output.startswith("Usage: painter wall [OPTIONS] {red|blue}\n\n  Paint one. It dries.\n")
    assert "How many coats.  [default: 2; 1<=x<=9]" in output
    assert "With what.  [required]" in output
    assert "Show this message and exit." in output


def test_help_in_vietnamese():
    output = run("wall", "--help", lang="vi").output
    assert output.startswith("Cách dùng: painter wall [TÙY CHỌN] {red|blue}\n\n  Sơn một bức")
    assert "Tùy chọn:\n" in output
    assert "Số lớp sơn.  [mặc định: 2; 1<=x<=9]" in output
    assert "Dụng cụ.  [bắt buộc]" in output
    assert "Hiện hướng dẫn này rồi thoát." in output
    assert "English alone." in output


def test_a_group_lists_its_commands_in_the_language():
    output = run("--help", lang="vi").output
    assert "Sơn tường." in output
    assert "Các lệnh:\n" in output
    assert "Sơn một bức tường.\n" in output
    assert "Paint one.\n" in run("--help", lang="en").output


@pytest.mark.parametrize(
    "arguments",
    [("wall", "--lang", "vi", "--help"), ("wall", "--help", "--lang=vi"), ("wall", "-h", "--lang")],
)
def test_the_command_line_goes_before_the_environment(arguments):
    output = run(*arguments, lang="en").output
    assert ("Cách dùng" in output) == ("vi" in "".join(arguments))


def test_a_word_behind_two_hyphens_is_no_option():
    output = run("wall", "--foo", "--", "--lang", "vi", lang="en").output
    assert "No such option" in output


def test_a_command_learns_the_language():
    assert run("wall", "--tool", "x", "red", lang="vi").output == "vi 2 x red\n"
    assert run("wall", "--tool", "x", "red", "--lang", "vi", lang="en").output == "vi 2 x red\n"
    assert language_of(click.Context(Command("x"), info_name="x")) in ("vi", "en")


WRONG = {
    "wal": "Không có lệnh 'wal'. Ý bạn là 'wall'?",
    "dance": "Không có lệnh 'dance'.",
    "wall --tol x red": "Không có tùy chọn '--tol'. Ý bạn là '--tool'?",
    "wall --zzz": "Không có tùy chọn '--zzz'.",
    "wall --tool x": "Thiếu tham số '{red|blue}'. Chọn một trong:\n\tred,\n\tblue",
    "wall red": "Thiếu tùy chọn '--tool'.",
    "wall --tool x red blue": "Thừa tham số: blue",
    "wall --tool": "Tùy chọn '--tool' cần một giá trị.",
    "wall --plain=1 --tool x red": "Tùy chọn '--plain' không nhận giá trị.",
    "wall --tool x green": (
        "Giá trị của '{red|blue}' không hợp lệ: 'green' không phải là một trong: 'red', 'blue'."
    ),
    "wall --tool x --coats two red": (
        "Giá trị của '--coats' không hợp lệ: 'two' không phải là số nguyên."
    ),
    "wall --tool x --coats 10 red": (
        "Giá trị của '--coats' không hợp lệ: 10 nằm ngoài khoảng 1<=x<=9."
    ),
    "wall --tool x --room /none red": "Giá trị của '--room' không hợp lệ: '/none' không tồn tại.",
    "read /none": "Giá trị của 'FILE' không hợp lệ: '/none' không tồn tại.",
    "read /": "Giá trị của 'FILE' không hợp lệ: '/' là thư mục, không phải tệp.",
    "other x": "Giá trị của 'NUMBER' không hợp lệ: 'x' không phải là số nguyên.",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage_in_vietnamese(line):
    result = run(*line.split(), lang="vi")
    assert result.exit_code == 2
    assert result.output.partition("Lỗi: ")[2].rstrip() == WRONG[line]
    assert "Error" not in result.output
    assert "Try" not in result.output


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage_in_english_is_clicks_own(line):
    result = run(*line.split(), lang="en")
    assert result.exit_code == 2
    assert "Error: " in result.output


def test_the_usage_is_shown_above_the_error():
    assert run("other", "x", lang="vi").output.splitlines()[:3] == [
        "Cách dùng: painter other [TÙY CHỌN] NUMBER",
        "Gõ 'painter other --help' để xem hướng dẫn.",
        "",
    ]


def test_without_arguments_a_group_shows_its_help():
    result = run(lang="vi")
    assert result.exit_code == 2
    assert result.output.startswith("Cách dùng: painter [TÙY CHỌN] LỆNH [THAM SỐ]...\n\n  Sơn")


def test_a_sentence_that_is_not_known_stays_english():
    @click.command(cls=Command)
    def fail():
        raise click.UsageError("The moon is full.")

    result = CliRunner(env={"TRUYVET_LANG": "vi"}).invoke(fail)
    assert (result.exit_code, result.output.splitlines()[-1]) == (2, "Lỗi: The moon is full.")
