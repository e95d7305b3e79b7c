"""What a command line adds to a rule set, as a text of rules again: so that a job keeps one text of what ran."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

import yaml

from importer.core.rules.fields import PLACE_FIELDS, destination
from importer.core.rules.mappings import Mapping, mapping
from importer.core.rules.model import DICOM
from importer.core.rules.parsing import parse
from importer.core.rules.problems import Problem, RuleError, Wrong
from importer.core.states import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """`include` and `exclude` narrow the whole set; a mapping goes before those of each rule that can read its fields;
    defaults and overrides win over those of the rules. A rule that goes beside DICOM takes no labels of them."""

    level: Level | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))


class _Texts(yaml.SafeLoader):
    """Reads `01` and `2020-01-02` as they are written: only true, false and nothing are no texts."""


_Texts.yaml_implicit_resolvers = {
    first: [one for one in known if one[0] in {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"}]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def merged(text: str, additions: Additions) -> str:
    """The text with the additions in it. Raises RuleError, with the problems of the text or of what is added."""
    parse(text)
    if not additions.any:
        return text
    document = yaml.load(text, Loader=_Texts)  # noqa: S506  a SafeLoader
    document = {"rules": document} if isinstance(document, list) else dict(document)
    for key in ("include", "exclude"):
        _join(document, key, getattr(additions, key), refuse=key == "include")
    document["rules"] = [_with(rule, additions) for rule in document["rules"]]
    made = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    parse(made)
    return made


def _join(document: dict[str, Any], key: str, added: Sequence[str], *, refuse: bool) -> None:
    """Include is any of its filters: two lists of them cannot be joined without taking more, so one must be empty."""
    standing = _listed(document.get(key))
    if standing and added and refuse:
        raise RuleError([Problem(1, 1, "The rule set narrows its files by include itself: change it there.")])
    if standing or added:
        document[key] = [*standing, *added]


def _with(rule: dict[str, Any], additions: Additions) -> dict[str, Any]:
    made = {_PLURAL.get(key, key): value for key, value in rule.items()}
    if additions.level is not None:
        made["level"] = additions.level.value
    mappings = _fitting(additions.mappings, dicom=made.get("type") == DICOM)
    if (mappings or additions.level) and made.pop("beside_dicom", False):
        made.setdefault("name", "")
    if mappings:
        made["mappings"] = [*mappings, *_listed(made.get("mappings"))]
    beside = bool(made.get("beside_dicom"))
    for key, added in (("defaults", additions.defaults), ("overrides", additions.overrides)):
        # What lies beside DICOM goes where that goes, which has been told already.
        lines = [line for line in added if not (beside and _field(line) in PLACE_FIELDS)]
        if lines:
            made[key] = [*_unless(_listed(made.get(key)), lines), *lines]
    return made


_PLURAL = {"mapping": "mappings", "default": "defaults", "override": "overrides"}


def _fitting(lines: Sequence[str], *, dicom: bool) -> list[str]:
    """A mapping that reads the header, or what such a one has set, says nothing to a rule that is not about DICOM."""
    known: list[Mapping] = []
    fitting: list[Mapping] = []
    for line in lines:
        try:
            known.append(mapping(line, dicom=True, before=known))
        except Wrong as error:
            raise RuleError([Problem(1, error.at + 1, f"--mapping {line}: {error.said}")]) from None
        with suppress(Wrong):
            fitting.append(mapping(line, dicom=dicom, before=fitting))
    return [one.text for one in fitting]


def _listed(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}={'' if one is None else one}" for key, one in value.items()]
    return [value] if isinstance(value, str) else list(value or [])


def _unless(standing: Sequence[str], added: Sequence[str]) -> list[str]:
    """What is added sets a field whatever word either of them uses for it."""
    fresh = {_field(line) for line in added}
    return [line for line in standing if _field(line) not in fresh]


def _field(line: str) -> str:
    word = line.partition("=")[0]
    try:
        return destination(word).name
    except Wrong:
        return word
