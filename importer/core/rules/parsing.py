"""A file of rules, in YAML, to rules: everything that is wrong is found at once, each thing with its place."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import yaml

from importer.core.rules.fields import PLACE_FIELDS, SOURCE_FIELDS, destination, dicom_keyword, source
from importer.core.rules.filters import Filter, filter_of
from importer.core.rules.mappings import Mapping, mapping
from importer.core.rules.model import DICOM, SERIES_KEYS, Rule, RuleSet
from importer.core.rules.problems import Problem, RuleError, Wrong, nearest
from importer.core.rules.templates import Template, template
from importer.core.rules.values import says_nothing
from importer.core.states import Level, MissingMeta, Strategy, UidScope

MOST_CHARACTERS = 64 * 1024
MOST_RULES = 200
MOST_LINES = 200
_LEVELS = (Level.ACQUISITION, Level.SESSION, Level.SUBJECT, Level.PROJECT)
_SINGULAR = {"mapping": "mappings", "default": "defaults", "override": "overrides", "label": "name"}
RULE_KEYS = (
    "name", "level", "type", "include", "exclude", "mappings", "defaults", "overrides", "group_by", "zip", "zip_single",
    "dicom_instance_name", "dicom_group_by", "dicom_split_localizer", "beside_dicom",
)  # fmt: skip
SET_KEYS = (
    "type", "name", "description", "include", "exclude", "conflict_strategy", "uid_scope", "missing_meta", "rules",
)  # fmt: skip
_ONLY_DICOM = ("dicom_instance_name", "dicom_group_by", "dicom_split_localizer")
_Made = TypeVar("_Made")
_Choice = TypeVar("_Choice", Level, Strategy, UidScope, MissingMeta)


def parse(text: str) -> RuleSet:
    """Raises RuleError with every problem."""
    return _Parser().parse(text)


class _Parser:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.keywords: set[str] = set()

    def parse(self, text: str) -> RuleSet:
        if len(text) > MOST_CHARACTERS:
            raise RuleError([Problem(1, 1, f"The rules are longer than {MOST_CHARACTERS // 1024} KiB: split them.")])
        node = _composed(text)
        found = self._rule_set(node)
        if self.problems:
            raise RuleError(self.problems)
        return found

    def _say(self, node: yaml.Node, said: str, at: int = 0) -> None:
        self.problems.append(_problem(node, said, at))

    def _guarded(self, node: yaml.Node, make: Callable[[], _Made]) -> _Made | None:
        try:
            return make()
        except Wrong as error:
            self._say(node, error.said, error.at)
            return None

    def _rule_set(self, node: yaml.Node) -> RuleSet:
        if isinstance(node, yaml.SequenceNode):
            rules = self._rules(node)
            return RuleSet(rules=rules, keywords=frozenset(self.keywords), archives=tuple(_archives((), rules)))
        if not isinstance(node, yaml.MappingNode):
            self._say(node, "A rules file is a list of rules, or a mapping with a list called rules.")
            return RuleSet(rules=())
        keys = self._keys(node, SET_KEYS)
        if "rules" not in keys:
            self._say(node, "There are no rules: add a list called rules.")
        kind = keys.get("type")
        if kind is not None and self._text(kind) not in {"import", ""}:
            self._say(kind, "Only rules of type import are understood.")
        rules = self._rules(keys["rules"]) if "rules" in keys else ()
        include, exclude = (self._filters(keys.get(key), dicom=False) for key in ("include", "exclude"))
        return RuleSet(
            rules=rules,
            name=self._optional_text(keys.get("name"), most=64),
            description=self._optional_text(keys.get("description"), most=2000),
            include=include,
            exclude=exclude,
            strategy=self._choice(keys.get("conflict_strategy"), Strategy),
            uid_scope=self._choice(keys.get("uid_scope"), UidScope),
            missing_meta=self._choice(keys.get("missing_meta"), MissingMeta),
            keywords=frozenset(self.keywords),
            archives=tuple(_archives(include, rules)),
        )

    def _keys(self, node: yaml.MappingNode, known: Sequence[str]) -> dict[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            name = _SINGULAR.get(name, name) if name not in known else name
            if name not in known:
                self._say(key, f"There is no key {name or '(no word)'}.{nearest(name, known) or _known(known)}")
            elif name in found:
                self._say(key, f"The key {name} stands twice.")
            else:
                found[name] = value
        return found

    def _rules(self, node: yaml.Node) -> tuple[Rule, ...]:
        if not isinstance(node, yaml.SequenceNode):
            self._say(node, "rules is a list: begin each rule with a dash.")
            return ()
        if not node.value:
            self._say(node, "There is no rule: a file that no rule takes is skipped. Add one, such as - type: dicom.")
        if len(node.value) > MOST_RULES:
            self._say(node, f"There are more than {MOST_RULES} rules.")
            return ()
        made = (self._rule(one, number) for number, one in enumerate(node.value, 1))
        return tuple(rule for rule in made if rule is not None)

    def _rule(self, node: yaml.Node, number: int) -> Rule | None:
        if not isinstance(node, yaml.MappingNode):
            self._say(node, "A rule is a mapping, such as - type: dicom.")
            return None
        keys = self._keys(node, RULE_KEYS)
        kind = self._optional_text(keys.get("type"), most=32)
        dicom = kind == DICOM
        if kind.lower() == DICOM and not dicom:
            self._say(keys["type"], f"Write {DICOM} in small letters: {kind} would be a type of other files.")
        for key in _ONLY_DICOM:
            if key in keys and not dicom:
                self._say(keys[key], f"{key} needs type: dicom.")
        beside = self._flag(keys.get("beside_dicom"), default=False)
        for key in ("mappings", "zip", "group_by", "level"):
            if beside and key in keys:
                self._say(keys[key], f"A rule with beside_dicom finds the place by the DICOM around: leave out {key}.")
        if beside and dicom:
            self._say(keys["beside_dicom"], "beside_dicom is for files that are no DICOM: leave out type: dicom.")
        defaults = self._settings(keys.get("defaults"), beside=beside)
        overrides = self._settings(keys.get("overrides"), may_be_empty=True, beside=beside)
        zipped = self._flag(keys["zip"], default=False) if "zip" in keys else None
        if "group_by" in keys and not (zipped or dicom):
            self._say(keys["group_by"], "group_by says what is zipped together: add zip: true.")
        return Rule(
            number=number,
            line=node.start_mark.line + 1,
            name=self._optional_text(keys.get("name"), most=64),
            level=self._choice(keys.get("level"), Level, allowed=_LEVELS) or Level.ACQUISITION,
            type=kind,
            include=self._filters(keys.get("include"), dicom=dicom),
            exclude=self._filters(keys.get("exclude"), dicom=dicom),
            mappings=self._mappings(keys.get("mappings"), dicom=dicom),
            defaults=defaults,
            overrides=overrides,
            group_by=self._words(keys.get("group_by"), lambda word: self._read(word, dicom=dicom)),
            zip=zipped,
            zip_single=self._flag(keys.get("zip_single"), default=True),
            instance_name=self._instance_name(keys.get("dicom_instance_name")),
            dicom_group_by=self._words(keys.get("dicom_group_by"), self._keyword) or SERIES_KEYS,
            split_localizer=self._flag(keys.get("dicom_split_localizer"), default=True),
            beside_dicom=beside,
        )

    def _read(self, word: str, *, dicom: bool) -> str:
        """A field that a rule reads; keywords are remembered, because headers are read for them."""
        name = source(word, dicom=dicom)
        if name not in SOURCE_FIELDS:
            self.keywords.add(name)
        return name

    def _keyword(self, word: str) -> str:
        found = dicom_keyword(word)
        if not found:
            raise Wrong(f"{word} is no DICOM keyword.{nearest(word, [*SERIES_KEYS, 'AcquisitionNumber', 'Modality'])}")
        self.keywords.add(found)
        return found

    def _filters(self, node: yaml.Node | None, *, dicom: bool) -> tuple[Filter, ...]:
        found = []
        for one in self._lines(node):
            made = self._guarded(one, lambda one=one: filter_of(one.value, dicom=dicom))  # type: ignore[misc]
            if made is not None:
                found.append(made)
                self.keywords |= {made.field} if made.of_header else set()
        return tuple(found)

    def _mappings(self, node: yaml.Node | None, *, dicom: bool) -> tuple[Mapping, ...]:
        found: list[Mapping] = []
        for one, text in self._pairs(node):
            made = self._guarded(one, lambda text=text: mapping(text, dicom=dicom, before=found))  # type: ignore[misc]
            if made is not None:
                found.append(made)
                used = (name for name in made.template.fields if not name.startswith("!"))
                self.keywords |= {name for name in used if name not in SOURCE_FIELDS}
        return tuple(found)

    def _settings(
        self, node: yaml.Node | None, *, beside: bool, may_be_empty: bool = False
    ) -> tuple[tuple[str, str], ...]:
        """`field=value` lines, or a mapping of them; a text is taken as it is."""
        found = []
        for one, text in self._pairs(node):
            made = self._guarded(one, lambda text=text: _setting(text, may_be_empty=may_be_empty))  # type: ignore[misc]
            if made is None:
                continue
            if beside and made[0] in PLACE_FIELDS:
                self._say(one, f"A rule with beside_dicom finds the place by the DICOM around: leave out {made[0]}.")
            found.append(made)
        return tuple(found)

    def _pairs(self, node: yaml.Node | None) -> Iterator[tuple[yaml.Node, str]]:
        """Lines as they are; of a mapping each key and its value as a line."""
        if not isinstance(node, yaml.MappingNode):
            yield from ((one, one.value) for one in self._lines(node))
            return
        if len(node.value) > MOST_LINES:
            self._say(node, f"There are more than {MOST_LINES} lines.")
            return
        for key, value in node.value:
            other = next((one for one in (key, value) if not isinstance(one, yaml.ScalarNode)), None)
            if other is None:
                yield key, f"{key.value}={self._text(value)}"
            else:
                self._say(other, "This is no text: give one value, and write each further line with a dash.")

    def _instance_name(self, node: yaml.Node | None) -> Template | None:
        if node is None:
            return None
        text = self._text(node)
        return self._guarded(node, lambda: template(text, names=self._keyword))

    def _words(self, node: yaml.Node | None, check: Callable[[str], str]) -> tuple[str, ...]:
        made = (self._guarded(one, lambda one=one: check(one.value)) for one in self._lines(node))  # type: ignore[misc]
        return tuple(one for one in made if one is not None)

    def _lines(self, node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
        """One text, or a list of them."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [] if node is None else [node]
        if node is not None and len(nodes) > MOST_LINES:
            self._say(node, f"There are more than {MOST_LINES} lines.")
            return
        for one in nodes:
            if isinstance(one, yaml.ScalarNode):
                yield one
            else:
                self._say(one, "This is no text: put it in quotes, because { and [ mean something in YAML.")

    def _text(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return "" if node.tag.endswith(":null") else str(node.value)
        self._say(node, "This is no text.")
        return ""

    def _optional_text(self, node: yaml.Node | None, *, most: int) -> str:
        text = self._text(node) if node is not None else ""
        if node is not None and len(text) > most:
            self._say(node, f"This is longer than {most} characters.")
        return text.strip()

    def _flag(self, node: yaml.Node | None, *, default: bool) -> bool:
        if node is None:
            return default
        known = yaml.SafeLoader.bool_values
        if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":bool") or node.value.lower() not in known:
            self._say(node, "This is true or false.")
            return default
        return bool(known[node.value.lower()])

    def _choice(
        self, node: yaml.Node | None, values: type[_Choice], *, allowed: Sequence[_Choice] = ()
    ) -> _Choice | None:
        if node is None:
            return None
        text, words = self._text(node), [value.value for value in (allowed or list(values))]
        if text not in words:
            self._say(node, f"{text or 'Nothing'} is none of {', '.join(words)}.{nearest(text, words)}")
            return None
        return values(text)


def _composed(text: str) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        raise RuleError([Problem(*place, _yaml_said(error))]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        raise RuleError([Problem(line, column, "A character that a text must not have stands here.")]) from None
    except RecursionError:
        raise RuleError([Problem(1, 1, "The rules are nested too deep.")]) from None
    if node is None:
        raise RuleError([Problem(1, 1, "There are no rules: begin with a list such as - type: dicom.")])
    return node


def _yaml_said(error: yaml.MarkedYAMLError) -> str:
    reason = (error.problem or "it cannot be read").rstrip(".")
    return f"This is not YAML: {reason}. A text with {{, [, *, :, # or ! at its start needs quotes around it."


def _problem(node: yaml.Node, said: str, at: int) -> Problem:
    """The place inside a text is exact where the text stands on one line, as it is."""
    mark = node.start_mark
    quoted = isinstance(node, yaml.ScalarNode) and node.style in {"'", '"'}
    one_line = node.start_mark.line == node.end_mark.line
    return Problem(mark.line + 1, mark.column + 1 + (at + int(quoted) if one_line else 0), said)


def _setting(text: str, *, may_be_empty: bool) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not equals:
        raise Wrong("This is field=value, such as session.label=baseline.")
    name = destination(field).name
    if not value.strip() and not may_be_empty:
        raise Wrong("The value is empty: give one, or leave the line out.", len(field) + 1)
    if value.strip() and says_nothing(name, value.strip()):
        raise Wrong(f"Nothing is left of {value.strip()} once it is made safe for {name}.", len(field) + 1)
    return name, value.strip()


def _archives(include: Sequence[Filter], rules: Sequence[Rule]) -> Iterator[Filter]:
    for rule in rules:
        yield from (one for one in rule.include if one.archive is not None)
    yield from (one for one in include if one.archive is not None)


def _known(words: Sequence[str]) -> str:
    return f" The keys are {', '.join(words)}."
