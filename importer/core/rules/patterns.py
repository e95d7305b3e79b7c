"""Patterns: text with captures, from which the fields of a destination are read."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from importer.core.rules import regexes, times
from importer.core.rules.fields import Destination, Kind, destination
from importer.core.rules.problems import Wrong
from importer.core.rules.regexes import Compiled

MOST_CAPTURES = 40
_OPTIONS = re.compile(r"(?<!\\)!([a-z]+)\Z")
_REPEATED = re.compile(r"\{\d+(?:,\d*)?\}")
_VARIABLE = re.compile(r"@[A-Za-z_][A-Za-z0-9_]{0,63}")
_UNESCAPED = re.compile(r"(?<!\\)[{}]")


@dataclass(frozen=True, slots=True)
class Capture:
    """A field (`subject.label`), or a temporary variable (`@site`), with the time format that it is written in."""

    name: str
    kind: Kind
    time_format: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    text: str
    captures: tuple[Capture, ...]
    regex: Compiled
    # Number of each capture's group.
    groups: tuple[int, ...]

    def read(self, text: str) -> list[tuple[Capture, str]]:
        """What the captures caught, empty ones left out; nothing where the whole text does not match."""
        found = self.regex.caught(text, self.groups) or ()
        return [(capture, value) for capture, value in zip(self.captures, found, strict=False) if value]


def pattern(text: str) -> Pattern:
    """Raises Wrong with the character at which it is wrong."""
    body, options = split_options(text)
    if not body.strip():
        raise Wrong("The pattern is empty: give a field such as {subject.label}.")
    if not _UNESCAPED.search(body):
        body = f"{{{body.strip()}}}"
    reader = _Reader(body, raw="r" in options, ignore_case="i" in options)
    reader.read()
    regex = reader.compiled()
    groups = tuple(regex.named[f"c{number}"] for number in range(len(reader.captures)))
    return Pattern(text, tuple(reader.captures), regex, groups)


def split_options(text: str) -> tuple[str, str]:
    """The pattern and its options: `!r` (regular expression), `!i` (any case). Raises Wrong."""
    found = _OPTIONS.search(text)
    if found is None:
        return text, ""
    options = found.group(1)
    if set(options) - set("ri"):
        raise Wrong(f"There is no option !{options}: there are !r, !i and !ri.", found.start())
    return text[: found.start()], options


def search_expression(text: str) -> tuple[str, str]:
    """For filters: the regular expression of a glob, in which `^` and `$` are anchors. Raises Wrong."""
    body, options = split_options(text)
    if not body:
        raise Wrong("There is nothing to look for behind the operator.")
    return body if "r" in options else glob(body, anchors=True), options


def glob(text: str, *, anchors: bool = False) -> str:
    """The regular expression of the simple dialect, without captures. Raises Wrong."""
    reader = _Reader(text, raw=False, ignore_case=False, captures=False, anchors=anchors)
    reader.read()
    return "".join(reader.out)


class _Reader:
    """Goes over a pattern once, from left to right."""

    def __init__(
        self, text: str, *, raw: bool, ignore_case: bool, captures: bool = True, anchors: bool = False
    ) -> None:
        self.text, self.raw, self.ignore_case = text, raw, ignore_case
        self.may_capture, self.anchors = captures, anchors
        self.at = 0
        self.out: list[str] = []
        self.captures: list[Capture] = []
        self.opened: list[int] = []

    def read(self) -> None:
        steps: dict[str, Callable[[], None]] = {"\\": self._escape, "{": self._brace, "}": self._stray}
        if not self.raw:
            steps |= {"[": self._open, "]": self._close, "*": self._star, ".": self._dot, "^": self._caret}
        while self.at < len(self.text):
            steps.get(self.text[self.at], self._plain)()
        if self.opened:
            raise Wrong("This [ is never closed: an optional part ends with ].", self.opened[-1])

    def compiled(self) -> Compiled:
        try:
            return regexes.compiled(regexes.lazy("".join(self.out)), ignore_case=self.ignore_case)
        except Wrong as error:
            raise error.behind(0) from None

    def _plain(self) -> None:
        self.out.append(self.text[self.at])
        self.at += 1

    def _emit(self, expression: str, length: int = 1) -> None:
        self.out.append(expression)
        self.at += length

    def _escape(self) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if not following:
            raise Wrong("A backslash stands at the end: write \\\\ for the character itself.", self.at)
        if self.raw:
            self._emit(f"\\{following}", 2)
        elif re.match(r"uid(?![A-Za-z])", self.text[self.at + 1 :]):
            self._emit(regexes.UID, 4)
        else:
            self._emit(f"\\{following}", 2)

    def _open(self) -> None:
        self.opened.append(self.at)
        self._emit("(?:")

    def _close(self) -> None:
        if not self.opened:
            raise Wrong("This ] closes nothing: an optional part begins with [.", self.at)
        self.opened.pop()
        self._emit(")?")

    def _star(self) -> None:
        if self.text.startswith("**/", self.at):
            self._emit("(?:.*/)?", 3)
        elif self.text.startswith("**", self.at):
            self._emit(".*", 2)
        else:
            self._emit("[^/]*")

    def _dot(self) -> None:
        self._emit(r"\.")

    def _caret(self) -> None:
        self._emit("^" if self.anchors else r"\^")

    def _stray(self) -> None:
        raise Wrong("This } closes nothing: a capture begins with {.", self.at)

    def _brace(self) -> None:
        repeated = _REPEATED.match(self.text, self.at)
        if repeated:
            self._emit(repeated.group(), len(repeated.group()))
            return
        if not self.may_capture:
            raise Wrong("There are no captures in here: { only begins a repetition such as {2,4}.", self.at)
        if len(self.captures) >= MOST_CAPTURES:
            raise Wrong(f"There are more than {MOST_CAPTURES} captures.", self.at)
        end = closing(self.text, self.at)
        self._capture(self.text[self.at + 1 : end])
        self.at = end + 1

    def _capture(self, body: str) -> None:
        word, colon, expression = body.partition(":")
        start = self.at + 1
        try:
            field = self._field(word)
        except Wrong as error:
            raise error.behind(start) from None
        if any(capture.name == field.name for capture in self.captures):
            raise Wrong(f"{field.name} is captured twice: a field may stand once in a pattern.", start)
        if colon and not expression:
            raise Wrong("There is nothing behind the colon: give an expression or a time format.", start + len(word))
        try:
            inner, time_format = self._inner(field, expression)
        except Wrong as error:
            raise error.behind(start + len(word) + 1) from None
        self.out.append(f"(?P<c{len(self.captures)}>{inner})")
        self.captures.append(Capture(field.name, field.kind, time_format))

    def _field(self, word: str) -> Destination:
        if word.startswith("@"):
            if not _VARIABLE.fullmatch(word):
                raise Wrong("A variable is @ and a word of letters, digits and _.")
            return Destination(word, Kind.TEXT)
        return destination(word)

    def _inner(self, field: Destination, expression: str) -> tuple[str, str]:
        if not expression:
            return ("[^/]+" if field.kind in {Kind.LABEL, Kind.NAME} else ".+"), ""
        if field.kind is Kind.TIME and "%" in expression:
            return times.expression(expression), expression
        inner = expression if self.raw else glob(expression)
        regexes.compiled(inner, ignore_case=False)
        return inner, ""


def closing(text: str, start: int) -> int:
    """Where the brace that opens at `start` is closed; braces inside are balanced. Raises Wrong."""
    depth, at = 0, start
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                if at == start + 1:
                    raise Wrong("{} is empty: name the field to capture.", start)
                return at
        at += 1
    raise Wrong("This { is never closed: add a }.", start)
