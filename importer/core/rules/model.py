"""What a rule is once it is parsed, and what it says about one file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from importer.core.records import Bad, Header, Mapped
from importer.core.rules.filters import Filter
from importer.core.rules.mappings import Mapping
from importer.core.rules.templates import Template
from importer.core.states import Level, MissingMeta, Strategy, UidScope

DICOM = "dicom"
SERIES_KEYS = ("StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `number` counts from 1, `line` is where it begins in its text.

    `beside_dicom` (ours): a file goes where the DICOM around it goes (decisions, "standard").
    """

    number: int
    line: int
    name: str = ""
    level: Level = Level.ACQUISITION
    type: str = ""
    include: tuple[Filter, ...] = ()
    exclude: tuple[Filter, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    # Destination field → value; an empty override deletes the field.
    defaults: tuple[tuple[str, str], ...] = ()
    overrides: tuple[tuple[str, str], ...] = ()
    group_by: tuple[str, ...] = ()
    # None: not said. DICOM is zipped unless it is False, anything else only if it is True.
    zip: bool | None = None
    zip_single: bool = True
    instance_name: Template | None = None
    dicom_group_by: tuple[str, ...] = SERIES_KEYS
    split_localizer: bool = True
    beside_dicom: bool = False
    # Worked out once: asked for every file.
    includes_by_header: bool = field(init=False, default=False)
    filters_by_header: bool = field(init=False, default=False)
    reads_path: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        by_header = any(one.of_header for one in self.include)
        object.__setattr__(self, "includes_by_header", by_header)
        object.__setattr__(self, "filters_by_header", by_header or any(one.of_header for one in self.exclude))
        object.__setattr__(self, "reads_path", any(line.reads_path for line in self.mappings))

    @property
    def is_dicom(self) -> bool:
        return self.type == DICOM

    @property
    def zips(self) -> bool:
        return self.is_dicom if self.zip is None else self.zip


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """`include` and `exclude` narrow all of its rules. `keywords` are the DICOM keywords that its rules read."""

    rules: tuple[Rule, ...]
    name: str = ""
    description: str = ""
    include: tuple[Filter, ...] = ()
    exclude: tuple[Filter, ...] = ()
    strategy: Strategy | None = None
    uid_scope: UidScope | None = None
    missing_meta: MissingMeta | None = None
    keywords: frozenset[str] = frozenset()
    # Patterns for the archives (path before `::`) whose members are looked at one by one.
    archives: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file as a listing gives it. `path` is printable, relative to the source's root, with `/`, and with `::`
    before the name of an archive's member; times are nanoseconds since 1970, None where the source has none."""

    path: str
    size: int
    mtime_ns: int | None = None
    ctime_ns: int | None = None


class Content(Protocol):
    """What a rule may ask about a file's bytes; each is read at most once, and only where a rule asks."""

    def is_dicom(self) -> bool:
        """By name or by content."""

    def header(self) -> Header | Bad: ...


class Way(StrEnum):
    """How a file finds its place: by its own header, by what a rule made of its path, or by the DICOM around it."""

    HEADER = "header"
    PATH = "path"
    BESIDE = "beside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The rule that takes a file, and what comes of it. Labels in `mapped` are clean; `mapped.extra` holds every
    other destination field by its full name (`subject.info.site`, `file.name`, `session.tags`) with a JSON value.

    `group` tells apart what is packed together: files with equal `group` (and equal rule) become one archive; it is
    empty where each file stays by itself. `member` is a name inside that archive, empty for the default one.
    """

    rule: Rule
    way: Way
    mapped: Mapped
    header: Header | None = None
    group: tuple[str, ...] = ()
    member: str = ""
    file_name: str = ""

    @property
    def missing(self) -> Level | None:
        """The first level, from the top, that the rule asks for and nobody names."""
        labels = {
            Level.SUBJECT: self.mapped.subject_label,
            Level.SESSION: self.mapped.session_label,
            Level.ACQUISITION: self.mapped.acquisition_label,
        }
        for level, label in labels.items():
            if self.rule.level is Level.PROJECT:
                return None
            if not label:
                return level
            if level is self.rule.level:
                return None
        return None


@dataclass(frozen=True, slots=True)
class Why:
    """About one rule and one file: `taken`, or the reason why not (`excluded by path=~tmp`)."""

    number: int
    name: str
    taken: bool
    said: str


@dataclass(frozen=True, slots=True)
class Explained:
    """What comes of a file, with a line for every rule that was asked."""

    result: Taken | Bad
    rules: tuple[Why, ...] = ()
    fields: dict[str, object] = field(default_factory=dict)


Place = Callable[[SourceFile, Content], Taken | Bad]
