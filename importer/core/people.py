"""Who is in a header: names, sex, age, weight, operators."""

import re
from collections.abc import Sequence
from datetime import date

from importer.core.labels import clean_text
from importer.core.moments import parse_date

NAME_LENGTH = 255
OPERATOR_LENGTH = 1024

_SEXES = {"M": "male", "F": "female", "O": "other"}
_DAY = 86_400
_AGE = re.compile(r"([0-9]{1,4})([DWMY]?)")
_AGE_DAYS = {"D": 1.0, "W": 7.0, "M": 30.0, "Y": 365.25, "": 365.25}
_WEIGHT = re.compile(r"\+?[0-9]{1,9}(?:\.[0-9]*)?(?:[eE][+-]?[0-9])?|\+?\.[0-9]+")


def person(name: str) -> tuple[str, str]:
    """First and last name, in title case. `DOE^JANE^M` is Jane^M, Doe; without `^` the last word is the last name."""
    text = clean_text(_written(name), 2 * NAME_LENGTH).title()
    if "^" in text:
        last, _, first = text.partition("^")
        first = first.rstrip("^ ")
    else:
        first, _, last = text.rpartition(" ")
    return first.strip()[:NAME_LENGTH], last.strip()[:NAME_LENGTH]


def operators(names: Sequence[str]) -> str:
    """One name as it was recorded; several as `First Last, First Last`."""
    if len(names) == 1:
        return clean_text(names[0], OPERATOR_LENGTH)
    full = (" ".join(part for part in person(name) if part) for name in names)
    return ", ".join(name for name in full if name)[:OPERATOR_LENGTH].rstrip(", ")


def sex(code: str) -> str:
    """DICOM PS3.3 C.7.1.1, PatientSex; anything else than its three codes is unknown."""
    return _SEXES.get(code, "")


def birth_date(text: str) -> str:
    """ISO 8601; a date that does not exist is none."""
    found = parse_date(text)
    return found.isoformat() if found is not None else ""


def age_seconds(stated: str, *, born: str, on: date | None) -> int | None:
    """The stated age (PS3.5 6.2, AS; no unit means years), else from the day of birth to the day of the image."""
    found = _AGE.fullmatch(stated)
    if found:
        return round(int(found[1]) * _AGE_DAYS[found[2]] * _DAY)
    birth = parse_date(born)
    if birth is None or on is None or on < birth:
        return None
    return (on - birth).days * _DAY


def weight_kg(text: str) -> float | None:
    return float(text) if _WEIGHT.fullmatch(text) else None


def _written(name: str) -> str:
    """The first way of writing it that is there (PS3.5 6.2.1.1: alphabetic, ideographic, phonetic)."""
    return next((group for group in name.split("=") if group.strip("^ ")), "")
