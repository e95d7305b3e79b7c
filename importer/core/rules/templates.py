"""Templates: text with fields in braces, written out for one file."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from importer.core.rules import regexes
from importer.core.rules.patterns import closing
from importer.core.rules.problems import Wrong
from importer.core.rules.regexes import Compiled

Value = str | int | float | datetime | None
# A name (checked by the caller, which knows what may be read here) → the field's own name. May raise Wrong.
Names = Callable[[str], str]

# Nothing that a template writes is longer: labels are cut at 128 characters, names at 255.
LONGEST = 4096
_SPEC = re.compile(r"(?:.?[<>^=])?[ +-]?0?\d{0,3}(?:\.\d{1,3})?[sdf]?")
_GROUP = re.compile(r"\\(\d)|\\g<(\d)>")


@dataclass(frozen=True, slots=True)
class Replacement:
    regex: Compiled
    by: str


@dataclass(frozen=True, slots=True)
class Slot:
    """`{field/regex/replacement:format|default}`, carried out in this order."""

    field: str
    replacement: Replacement | None = None
    spec: str = ""
    default: str = ""

    def write(self, value: Value) -> str:
        """Empty where the value does not fit the format."""
        if value is None or value == "":
            return self.default
        if self.replacement is not None:
            value = self.replacement.regex.sub(self.replacement.by, str(value))
        return _formatted(value, self.spec) if self.spec else _text(value)


@dataclass(frozen=True, slots=True)
class Template:
    """A template, as it was written, and its parts in order."""

    text: str
    parts: tuple[str | Slot, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(part.field for part in self.parts if isinstance(part, Slot))

    def write(self, values: Callable[[str], Value]) -> str:
        """Each field's value asked for once per use; unknown ones give their default."""
        written = (part if isinstance(part, str) else part.write(values(part.field)) for part in self.parts)
        return "".join(written)[:LONGEST]


def template(text: str, *, names: Names) -> Template:
    """Raises Wrong with the character at which it is wrong. A bare word is one field."""
    if not text.strip():
        raise Wrong("The template is empty: give a field such as {PatientID}.")
    if not re.search(r"(?<!\\)[{}]", text):
        return Template(text, (_slot(text.strip(), names),))
    parts: list[str | Slot] = []
    literal, at = "", 0
    while at < len(text):
        one = text[at]
        if one == "\\" and text[at + 1 : at + 2] in {"{", "}", "\\"}:
            literal, at = literal + text[at + 1], at + 2
        elif one == "}":
            raise Wrong("This } closes nothing: a field begins with {.", at)
        elif one == "{":
            end = closing(text, at)
            parts += [*([literal] if literal else []), _placed(text[at + 1 : end], names, at + 1)]
            literal, at = "", end + 1
        else:
            literal, at = literal + one, at + 1
    return Template(text, tuple(parts + ([literal] if literal else [])))


def _placed(body: str, names: Names, at: int) -> Slot:
    try:
        return _slot(body, names)
    except Wrong as error:
        raise error.behind(at) from None


def _slot(body: str, names: Names) -> Slot:
    found = re.match(r"[^/:|]*", body)
    word = found.group() if found else ""
    rest, at = body[len(word) :], len(word)
    field = names(word)
    replacement = None
    if rest.startswith("/"):
        pieces = _split(rest[1:], "/", most=1)
        by, tail = _until(pieces[1] if len(pieces) > 1 else "")
        expression = pieces[0]
        replacement = _replacement(expression, by, at + 1)
        rest = tail
    spec, bar, default = _head(rest)
    if spec and "%" not in spec and not _SPEC.fullmatch(spec):
        raise Wrong(f"There is no format {spec}: use .4, 03d, >8 or, for times, %Y-%m-%d.", at)
    del bar
    return Slot(field, replacement, spec, default)


def _split(text: str, mark: str, *, most: int) -> list[str]:
    return [piece.replace(f"\\{mark}", mark) for piece in re.split(rf"(?<!\\){re.escape(mark)}", text, maxsplit=most)]


def _until(text: str) -> tuple[str, str]:
    """The replacement, and what follows it: `:format` and `|default`."""
    found = re.search(r"(?<!\\)[:|]", text)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def _head(rest: str) -> tuple[str, str, str]:
    spec, bar, default = rest.partition("|")
    return spec.removeprefix(":"), bar, default


def _replacement(expression: str, by: str, at: int) -> Replacement:
    if not expression:
        raise Wrong("There is no expression between the slashes: write {field/expression/replacement}.", at)
    try:
        regex = regexes.compiled(expression, ignore_case=False)
    except Wrong as error:
        raise error.behind(at) from None
    for found in _GROUP.finditer(by):
        if int(found.group(1) or found.group(2)) > regex.groups:
            raise Wrong(f"The expression has no group {found.group(1) or found.group(2)}.", at)
    return Replacement(regex, _GROUP.sub(lambda found: f"\\{found.group(1) or found.group(2)}", by))


def _formatted(value: Value, spec: str) -> str:
    """A time format on what is no time raises inside, and writes nothing."""
    if isinstance(value, datetime):
        return value.strftime(spec) if "%" in spec else format(value.isoformat(), _as_text(spec))
    try:
        numeric = "%" not in spec and (spec[-1:] in {"d", "f"} or re.match(r"[ +-]?0\d", spec) is not None)
        return format(_number(value) if numeric else value, spec)
    except (ValueError, TypeError):
        return ""


def _as_text(spec: str) -> str:
    return spec.removesuffix("d").removesuffix("f")


def _number(value: Value) -> int | float:
    number = float(str(value))
    return int(number) if number.is_integer() else number


def _text(value: Value) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
