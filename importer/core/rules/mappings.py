"""Mappings: `template=pattern`, from what is known of a file to the fields of its destination."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from importer.core.rules.fields import destination, source
from importer.core.rules.patterns import Capture, Pattern, pattern
from importer.core.rules.problems import Wrong
from importer.core.rules.templates import Template, Value, template

PATH_FIELDS = frozenset({"path", "name", "dir"})


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line, as it was written. `template` reads source fields, `!field` and `!@variable`; `pattern` sets fields."""

    text: str
    template: Template
    pattern: Pattern

    @property
    def reads_path(self) -> bool:
        return not PATH_FIELDS.isdisjoint(self.template.fields)

    def read(self, values: Callable[[str], Value]) -> list[tuple[Capture, str]]:
        """Nothing where one of its fields has no value: then another line may say it."""
        if any(values(field) in {None, ""} for field in self.template.fields):
            return []
        return self.pattern.read(self.template.write(values))


def mapping(text: str, *, dicom: bool, before: Sequence["Mapping"] = ()) -> Mapping:
    """`before` are the lines above it, whose fields and variables it may use. Both directions are tried.

    Raises Wrong, of the direction that gets further.
    """
    left, equals, right = text.partition("=")
    if not equals:
        raise Wrong("A mapping is template=pattern, such as path={subject}/{session}/{acquisition}/*.")
    known = {capture.name for line in before for capture in line.pattern.captures}
    try:
        return _one_way(text, left, right, dicom=dicom, known=known, places=(0, len(left) + 1))
    except Wrong as forward:
        try:
            return _one_way(text, right, left, dicom=dicom, known=known, places=(len(left) + 1, 0))
        except Wrong as backward:
            raise (backward if _is_turned(left, right, dicom=dicom) else forward) from None


def _is_turned(left: str, right: str, *, dicom: bool) -> bool:
    """The left side begins with a destination and not with a source."""
    return _begins_with(left, lambda word: destination(word).name) and not _begins_with(
        left, lambda word: source(word, dicom=dicom)
    ) and bool(right)  # fmt: skip


def _begins_with(text: str, names: Callable[[str], str]) -> bool:
    word = text.lstrip().removeprefix("{").partition("}")[0].partition(":")[0]
    try:
        names(word)
    except Wrong:
        return False
    return True


def _one_way(text: str, left: str, right: str, *, dicom: bool, known: set[str], places: tuple[int, int]) -> Mapping:
    def name(word: str) -> str:
        return _earlier(word, known) if word.startswith("!") else source(word, dicom=dicom)

    try:
        read = template(left.strip(), names=name)
    except Wrong as error:
        raise error.behind(places[0] + len(left) - len(left.lstrip())) from None
    try:
        return Mapping(text, read, pattern(right.strip()))
    except Wrong as error:
        raise error.behind(places[1] + len(right) - len(right.lstrip())) from None


def _earlier(word: str, known: set[str]) -> str:
    name = word[1:] if word.startswith("!@") else destination(word[1:]).name
    if name not in known:
        what = "variable" if name.startswith("@") else "field"
        raise Wrong(f"The {what} {name} is not set by a line above this one.")
    return f"!{name}"
