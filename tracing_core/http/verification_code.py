"""Verification codes as people type and paste them."""

from __future__ import annotations

import unicodedata

__all__ = ["plain_code"]

_LONGEST_TEXT = 256
"""Longer texts are not codes, and some letters become eighteen when they are normalised."""

_LONG_VOWEL = "\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}"
"""What Japanese keyboards put in place of a dash; Unicode counts it among the letters."""


def plain_code(text: str) -> str:
    """Return the letters and digits of a code, in the form in which the authority issued it.

    Digits of any script and width become ASCII, letters lower case. Dashes, blanks, quotes,
    invisible characters and other signs are left out, since devices put them in: a keyboard makes
    a dash of two hyphens, and a message wraps a code in marks of direction.
    """
    if len(text) > _LONGEST_TEXT:
        return text
    plain = []
    for letter in unicodedata.normalize("NFKC", text).lower():
        digit = unicodedata.decimal(letter, None)
        if digit is not None:
            plain.append(str(digit))
        elif unicodedata.category(letter)[0] in "LN" and letter != _LONG_VOWEL:
            plain.append(letter)
    return "".join(plain)
