import pytest

from tracing_core.texts import Text, default_language

FOUND = Text(en="{count} days", vi="{count} ngày", one="{count} day")


def test_a_text_in_each_language():
    assert FOUND.filled("vi", count=1) == "1 ngày"
    assert FOUND.filled("en", count=2) == "2 days"
    assert FOUND.filled("en", count=1) == "1 day"
    assert FOUND.in_("vi") == "{count} ngày"
    assert FOUND.in_("en") == "{count} days"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({"LANG": "vi_VN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "vi_VN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "TRUYVET_LANG": "vi"}, "vi"),
        ({"LANG": "vi_VN.UTF-8", "TRUYVET_LANG": ""}, "vi"),
    ],
)
def test_the_language_of_an_environment(environment, language):
    assert default_language(environment) == language
