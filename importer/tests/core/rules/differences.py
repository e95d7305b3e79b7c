"""Where we and the reference libraries differ, and why. What is not on these lists fails the comparison."""

import re
from collections.abc import Callable
from dataclasses import dataclass

TIME_SHAPED = re.compile(r"(?:[0-9-]+ - )?[0-9]{1,4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}")
WHOLE = "the whole case"


@dataclass(frozen=True, slots=True)
class Case:
    """One field of one case, as both say it; None for nothing. `given` is the header, or (rule, file)."""

    given: object
    field: str
    ours: object
    theirs: object


@dataclass(frozen=True, slots=True)
class Difference:
    """`decided` names what it rests on: a part of the published facts, a decision, or a standard."""

    what: str
    why: str
    decided: str
    holds: Callable[[Case], bool]


def unlisted(cases: list[Case], listed: list[Difference]) -> tuple[list[Case], dict[str, int]]:
    """The cases that nothing on the list explains, and how many each entry explains (the first that holds)."""
    counts = {one.what: 0 for one in listed}
    left = []
    for case in cases:
        reason = next((one for one in listed if one.holds(case)), None)
        if reason is None:
            left.append(case)
        else:
            counts[reason.what] += 1
    return left, counts


# --- headers ---------------------------------------------------------------------------------------------------------


def tag(case: Case, keyword: str) -> str:
    return case.given.get(keyword, "")


def text(case: Case, keyword: str) -> str:
    return tag(case, keyword).strip()


def of_time(case: Case) -> bool:
    """A time, a label made of one, or an age counted to one."""
    made = case.field.endswith("label") and any(TIME_SHAPED.fullmatch(str(one)) for one in (case.ours, case.theirs))
    counted = case.field == "session.age" and not re.match("[0-9]", tag(case, "PatientAge"))
    return case.field.endswith("timestamp") or made or counted


def any_of(case: Case, pattern: str, suffix: str) -> bool:
    """Any of the date or time elements, without padding, is like the pattern."""
    return any(
        re.fullmatch(pattern, value.strip()) for keyword, value in case.given.items() if keyword.endswith(suffix)
    )


def has_date_alone(case: Case) -> bool:
    alone = any(
        text(case, f"{what}Date") and not text(case, f"{what}Time") for what in ("Study", "Series", "Acquisition")
    )
    return alone or any_of(case, "[0-9]{8}", "DateTime")


def broken_date(case: Case) -> bool:
    dates = any_of(case, r"20201399|20200230|2020\.01\.02", "Date")
    return of_time(case) and (dates or any_of(case, "20201399[0-9]+", "DateTime"))


def same_but_spaces(case: Case) -> bool:
    squeezed = re.sub(r" - +", " - ", str(case.theirs)).strip()
    return case.field.endswith("label") and squeezed == case.ours


HEADERS = [
    Difference(
        "refused without its UIDs",
        "An instance without SOP, study and series UID can be placed, but never told apart from another one.",
        "decisions, What is DICOM",
        lambda case: (
            case.field == WHOLE
            and not all(text(case, uid) for uid in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
        ),
    ),
    Difference(
        "a weight of several values",
        "Theirs raises on a list and the file fails; ours leaves the field empty, as for any tag that says nonsense.",
        "flywheel (b.2): a failure in one field is never fatal",
        lambda case: case.field == WHOLE and "\\" in tag(case, "PatientWeight") and case.theirs == "TypeError",
    ),
    Difference(
        "outer spaces of a label",
        "Ours trims both sides; theirs keeps those in front.",
        "decisions, Header to hierarchy",
        same_but_spaces,
    ),
    Difference(
        "a description of which nothing is left",
        "Dots only: ours goes on to the next source of a label, theirs ends with an empty one.",
        "flywheel (b.3): a label that ends up empty is missing",
        lambda case: (
            case.field.endswith("label")
            and any(set(text(case, keyword)) == {"."} for keyword in ("StudyDescription", "SeriesDescription"))
        ),
    ),
    Difference(
        "a series number that is none",
        "Several values or no number: ours takes the first number or no prefix, theirs writes what it has.",
        "flywheel (b.2), DICOM PS3.5 6.2 (IS)",
        lambda case: case.field == "acquisition.label" and text(case, "SeriesNumber") in {"3\\4", "x", "12.0"},
    ),
    Difference(
        "an offset that cannot be",
        "UTC+15 and words are no offsets: ours reads the time without, theirs has no time or one a day off.",
        "flywheel (b.2): a failure in one field is never fatal; DICOM PS3.3 C.12.1.1.8",
        lambda case: of_time(case) and text(case, "TimezoneOffsetFromUTC") in {"UTC", "+1500"},
    ),
    Difference(
        "an offset makes labels of times",
        "Ours shows the hour at the scanner, theirs that of the worker's own zone.",
        "flywheel (i.4) 20: nothing depends on the worker's zone",
        lambda case: (
            case.field.endswith("label")
            and TIME_SHAPED.fullmatch(str(case.ours)) is not None
            and TIME_SHAPED.fullmatch(str(case.theirs)) is not None
            and (bool(text(case, "TimezoneOffsetFromUTC")) or any_of(case, r".*[+-][0-9]{4}", "DateTime"))
        ),
    ),
    Difference(
        "a date that is not whole",
        "A year, or a year and a month: theirs fills in January, or reads six digits as year, month and day.",
        "flywheel (b.2): a broken date yields no time",
        lambda case: of_time(case) and (any_of(case, "202001|1980", "Date") or any_of(case, "2020", "DateTime")),
    ),
    Difference(
        "the year 1",
        "A filler, not a year of images.",
        "flywheel (b.2): a broken date yields no time",
        lambda case: of_time(case) and any_of(case, "00010101", "Date"),
    ),
    Difference(
        "a broken date, and another time to go by",
        "Ours goes on with the list of sources, to the time in the UID; theirs stops at an element that is there.",
        "flywheel (b.2), order of sources",
        broken_date,
    ),
    Difference(
        "a broken time of day",
        "Ours takes HHMMSS and its beginnings and else looks further; theirs reads 03:04:05 and stops at 250000.",
        "DICOM PS3.5 6.2 (TM); flywheel (b.2), order of sources",
        lambda case: of_time(case) and any_of(case, "03:04:05|250000|noon", "Time"),
    ),
    Difference(
        "a leap second",
        "Ours is the second before it, theirs is no time at all.",
        "DICOM PS3.5 6.2 (TM): 60 is allowed",
        lambda case: of_time(case) and any_of(case, "235960", "Time"),
    ),
    Difference(
        "an offset and a date without a time",
        "Theirs reads the offset as the time of day, or sets noon after it has gone to its own zone.",
        "flywheel (b.2): a date without a time is 12:00:00",
        lambda case: of_time(case) and bool(text(case, "TimezoneOffsetFromUTC")) and has_date_alone(case),
    ),
    Difference(
        "a time with an offset of its own beside the header's",
        "Ours takes the time's own; theirs puts one behind the other.",
        "DICOM PS3.5 6.2 (DT)",
        lambda case: (
            of_time(case) and bool(text(case, "TimezoneOffsetFromUTC")) and any_of(case, r".*[+-][0-9]{4}", "DateTime")
        ),
    ),
    Difference(
        "an offset moves the day of an age",
        "Ours counts to the day at the scanner, theirs to that of the worker's own zone.",
        "flywheel (i.4) 20: nothing depends on the worker's zone",
        lambda case: (
            case.field == "session.age"
            and bool(text(case, "TimezoneOffsetFromUTC"))
            and None not in {case.ours, case.theirs}
            and abs(case.ours - case.theirs) == 86_400
        ),
    ),
    Difference(
        "letters of sex and age",
        "Only the codes of the standard: theirs takes small letters and words, too, and no spaces in front.",
        "flywheel (b.2): M, F, O, anything else is dropped; DICOM PS3.5 6.2 (AS)",
        lambda case: (
            (case.field == "subject.sex" and text(case, "PatientSex") in {"m", "MALE"})
            or (case.field == "session.age" and tag(case, "PatientAge") in {"60y", "  60Y"})
        ),
    ),
    Difference(
        "a weight below nothing",
        "Nobody weighs less than nothing.",
        "flywheel (b.2): a failure in one field leaves it empty",
        lambda case: case.field == "session.weight" and text(case, "PatientWeight").startswith("-"),
    ),
    Difference(
        "a name in several scripts",
        "Ours takes the first of them, theirs all with the = between.",
        "DICOM PS3.5 6.2.1.1",
        lambda case: case.field.startswith("subject.") and "=" in tag(case, "PatientName"),
    ),
]


# --- rules -----------------------------------------------------------------------------------------------------------


def rule_of(case: Case) -> dict:
    return case.given[0]


def lines(case: Case, *keys: str) -> list[str]:
    return [line for key in keys for line in rule_of(case).get(key, ())]


def maps_paths(case: Case) -> bool:
    return any(re.search(r"\b(?:path|name|dir)\b", line) for line in lines(case, "mappings"))


def folder_names(case: Case) -> list[str]:
    """As labels: what the reference takes where nothing else says it."""
    return [re.sub("[*]", "star", part).rstrip(".") for part in case.given[1]["dir"].split("/")]


def refusal(what: str, *pieces: str) -> Callable[[Case], bool]:
    """The one that refuses says so of a rule in which one of these stands."""

    def holds(case: Case) -> bool:
        said = case.theirs if what == "theirs" else case.ours
        other = case.ours if what == "theirs" else case.theirs
        every = lines(case, "include", "exclude", "mappings", "defaults", "overrides")
        return case.field == WHOLE and said != "placed" and other == "placed" and any(one in every for one in pieces)

    return holds


RULES = [
    Difference(
        "no folder names for a rule that maps paths",
        "What its mappings do not match is missing; theirs files it under a folder's name by accident.",
        "decisions, Header to hierarchy",
        lambda case: (
            case.field.endswith(".label")
            and maps_paths(case)
            and case.ours is None
            and case.theirs in folder_names(case)
        ),
    ),
    Difference(
        "defaults before folder names",
        "A default that is written down is meant; theirs prefers whatever the folder is called.",
        "decisions, Header to hierarchy",
        lambda case: (
            case.field.endswith(".label")
            and bool(lines(case, "defaults"))
            and case.ours is not None
            and case.theirs in folder_names(case)
        ),
    ),
    Difference(
        "outer spaces of a label",
        "Ours trims both sides.",
        "decisions, Header to hierarchy",
        lambda case: case.field.endswith(".label") and case.theirs is not None and case.theirs.strip() == case.ours,
    ),
    Difference(
        "a date without a time",
        "Ours means noon, as for headers; theirs midnight here and noon there.",
        "decisions, Header to hierarchy",
        lambda case: case.field.endswith("timestamp") and "T12:00" in str(case.ours) and "T00:00" in str(case.theirs),
    ),
    Difference(
        "fields that only we filter by",
        "ext is in their documentation and refused by their code.",
        "flywheel (c.1)",
        refusal("theirs", "ext=nii"),
    ),
    Difference(
        "spaces around an operator",
        "Ours lets them stand.",
        "flywheel (c.1): nothing is said about them",
        refusal("theirs", "size >1kB"),
    ),
    Difference(
        "a mapping turned round",
        "Theirs takes a field of a destination for one of the source, and then refuses it.",
        "flywheel (c.4): the reverse is tried",
        refusal("theirs", "subj={name}", "sub={name}", "{sub}/*={path}"),
    ),
    Difference(
        "a time as a default",
        "Theirs cannot keep a time in a rule that it has read.",
        "flywheel (c.5), destination fields",
        refusal("theirs", "session.timestamp=2020-01-02T03:04:05Z"),
    ),
    Difference(
        "nothing to look for",
        "path=~ would match everything: a slip, and refused.",
        "issue: an error says what was expected",
        refusal("ours", "path=~"),
    ),
    Difference(
        "outer spaces of other texts",
        "Trimmed like those of labels.",
        "decisions, Header to hierarchy",
        lambda case: str(case.theirs).replace("' ", "'").replace(" '", "'").strip() == str(case.ours),
    ),
    Difference(
        "brackets as they are",
        "Their own escape for a bracket gives an expression that they refuse.",
        "flywheel (c.2), escapes",
        refusal("theirs", "path=\\[{sub}\\]/*"),
    ),
    Difference(
        "two defaults for one field",
        "The first wins, as with mappings; theirs takes the last.",
        "flywheel (c.4): first non-empty wins",
        lambda case: (
            len({re.split("[.=]", line)[0][:3] for line in lines(case, "defaults")}) == 1
            and len(lines(case, "defaults")) == 2
        ),
    ),
    Difference(
        "a default of which nothing is left",
        "It is refused where it is written; theirs takes a folder's name in its place.",
        "decisions, Header to hierarchy",
        refusal("ours", "sub=..."),
    ),
    Difference(
        "a time with something before it",
        "Ours reads times as they are usually written; theirs finds a date in ../2020-01-02.",
        "flywheel (c.5): values are read strictly or dropped",
        lambda case: case.field.endswith("timestamp") and case.ours is None and "../" in case.given[1]["dir"],
    ),
]
