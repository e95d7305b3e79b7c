"""Regular expressions that cannot hang: RE2 matches in time linear in the text, whatever the expression."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import re2

from importer.core.rules.problems import Wrong

# What one expression may take of memory once compiled, and how long it may be: beyond, it is refused.
MOST_MEMORY = 8 * 1024 * 1024
MOST_CHARACTERS = 2000

UID: Final = r"(?:[a-z]{2,8}\.)?(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){4,}"
_UNSUPPORTED = ("(?=", "(?!", "(?<=", "(?<!")


class Compiled:
    """Matches on UTF-8, as RE2 itself does: its binding takes four times as long for text, most of it counting
    characters. What cannot be written as UTF-8 is a `?`.
    """

    __slots__ = ("_regex", "groups", "named")

    def __init__(self, regex: Any) -> None:
        self._regex = regex
        self.groups: int = regex.groups
        # Number of a group by its name.
        self.named: dict[str, int] = {name.decode(): number for name, number in regex.groupindex.items()}

    def search(self, text: str) -> bool:
        return self._regex.search(text.encode("utf-8", "replace")) is not None

    def caught(self, text: str, numbers: Sequence[int]) -> list[str] | None:
        """What these groups of a match of the whole text caught, empty for nothing; None where it does not match."""
        found = self._regex.fullmatch(text.encode("utf-8", "replace"))
        if found is None:
            return None
        pieces = found.group(*numbers, 0)
        return [piece.decode("utf-8", "replace") if piece else "" for piece in pieces[:-1]]

    def sub(self, by: str, text: str) -> str:
        """Raises re2's error for a replacement that names a group that is not there."""
        written = self._regex.sub(by.encode("utf-8", "replace"), text.encode("utf-8", "replace"))
        return str(written.decode("utf-8", "replace"))


@lru_cache(maxsize=4096)
def compiled(expression: str, *, ignore_case: bool) -> Compiled:
    """Raises Wrong."""
    if len(expression) > MOST_CHARACTERS:
        raise Wrong(f"The expression is longer than {MOST_CHARACTERS} characters: split it into several rules.")
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    options.max_mem = MOST_MEMORY
    try:
        return Compiled(re2.compile(expression.encode("utf-8", "replace"), options=options))
    except re2.error as error:
        raise Wrong(_said(expression, error)) from None


def _said(expression: str, error: Exception) -> str:
    reason = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
    if any(start in expression for start in _UNSUPPORTED):
        return "Look-ahead and look-behind are not supported: they can take for ever. Use a second filter or rule."
    if "invalid escape sequence" in reason and reason.rstrip("0123456789") != reason:
        return "References back to a group are not supported: they can take for ever."
    if "too large" in reason:
        return "The expression is too large: make its repetitions smaller."
    return f"This is no regular expression: {reason}."


def lazy(expression: str) -> str:
    """Every `*` and `+` outside brackets takes as little as possible, so that short patterns split text as meant."""
    out: list[str] = []
    inside = escaped = False
    for at, one in enumerate(expression):
        out.append(one)
        if escaped:
            escaped = False
            continue
        escaped = one == "\\"
        inside = (inside or one == "[") and not (inside and one == "]")
        if one in "*+" and not inside and expression[at + 1 : at + 2] not in {"?", "{", "+"}:
            out.append("?")
    return "".join(out)
