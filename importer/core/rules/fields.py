"""Names of fields: those of a destination, which rules set, and those of a source file, which rules read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR, tag_for_keyword

from importer.core.rules.problems import Wrong, nearest


class Kind(StrEnum):
    """How a destination's value is read from text."""

    LABEL = "label"
    NAME = "name"
    TEXT = "text"
    SEX = "sex"
    SUBJECT_TYPE = "subject type"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"
    TAGS = "tags"
    INFO = "info"


DESTINATIONS: dict[str, Kind] = {
    "group._id": Kind.LABEL,
    "group.label": Kind.LABEL,
    "project.label": Kind.LABEL,
    "project.info.*": Kind.INFO,
    "subject.label": Kind.LABEL,
    "subject.firstname": Kind.TEXT,
    "subject.lastname": Kind.TEXT,
    "subject.sex": Kind.SEX,
    "subject.type": Kind.SUBJECT_TYPE,
    "subject.species": Kind.TEXT,
    "subject.strain": Kind.TEXT,
    "subject.tags": Kind.TAGS,
    "subject.info.*": Kind.INFO,
    "session.uid": Kind.TEXT,
    "session.label": Kind.LABEL,
    "session.age": Kind.INTEGER,
    "session.weight": Kind.NUMBER,
    "session.operator": Kind.TEXT,
    "session.timestamp": Kind.TIME,
    "session.tags": Kind.TAGS,
    "session.info.*": Kind.INFO,
    "acquisition.uid": Kind.TEXT,
    "acquisition.label": Kind.LABEL,
    "acquisition.timestamp": Kind.TIME,
    "acquisition.tags": Kind.TAGS,
    "acquisition.info.*": Kind.INFO,
    "file.name": Kind.NAME,
    "file.type": Kind.TEXT,
    "file.modality": Kind.TEXT,
    "file.tags": Kind.TAGS,
    "file.info.*": Kind.INFO,
    "file.classification.*": Kind.TAGS,
}
# What says where in its project something lies.
PLACE_FIELDS = frozenset({
    "subject.label", "session.label", "session.uid", "acquisition.label", "acquisition.uid",
})  # fmt: skip
_ROOTS = {
    "group": ("gr", "grp"),
    "project": ("pr", "pro", "prj", "proj"),
    "subject": ("su", "sub", "subj"),
    "session": ("se", "ses", "sess"),
    "acquisition": ("ac", "acq"),
}
_ROOT = {short: root for root, shorts in _ROOTS.items() for short in shorts}
# What a bare word stands for.
_BARE = {
    "group": "group._id",
    "project": "project.label",
    "subject": "subject.label",
    "session": "session.label",
    "acquisition": "acquisition.label",
    "timestamp": "acquisition.timestamp",
    "file": "file.name",
}
_LEAVES = {"id": "_id", "time": "timestamp", "ts": "timestamp"}
_SUCH_AS = " Fields are such as subject, session, acquisition, file.name, session.timestamp or subject.info.site."
_FILE_PARTS = frozenset({"info", "classification"})

SOURCE_FIELDS = ("path", "name", "dir", "ext", "depth", "size", "ctime", "mtime")
SOURCE_ALIASES = {"filepath": "path", "filename": "name", "dirname": "dir", "created": "ctime", "modified": "mtime"}
_TAG = re.compile(r"\(?([0-9a-fA-F]{4}),?([0-9a-fA-F]{4})\)?")
_INFO_KEY = re.compile(r"[^\s.{}]{1,64}(?:\.[^\s.{}]{1,64}){0,3}")


@dataclass(frozen=True, slots=True)
class Destination:
    name: str
    kind: Kind


def destination(word: str) -> Destination:
    """The full field that a word means (`sub`, `subj.first`, `weight`, `info.site`). Raises Wrong."""
    name = _expanded(word.strip())
    if name in DESTINATIONS and not name.endswith("*"):
        return Destination(name, DESTINATIONS[name])
    found = _candidates(name)
    if len(found) > 1:
        raise Wrong(f"The field {word} may mean {_either(found)}: say which.")
    if not found:
        known = [*_BARE, *(field.removesuffix(".*") for field in DESTINATIONS)]
        raise Wrong(f"There is no field {word or '(empty)'} to set.{nearest(name, known) or _SUCH_AS}")
    return _filled_in(found[0], name)


def _expanded(word: str) -> str:
    parts = word.split(".")
    parts[0] = _ROOT.get(parts[0], parts[0])
    if len(parts) == 1:
        return _BARE.get(parts[0], parts[0])
    if parts[0] in _FILE_PARTS:
        parts.insert(0, "file")
    if len(parts) == 2:  # noqa: PLR2004
        parts[1] = _LEAVES.get(parts[1], parts[1])
    return ".".join(parts)


def _candidates(name: str) -> list[str]:
    parts = name.split(".")
    found = [field for field in DESTINATIONS if _begins(field.split("."), parts)]
    if len(parts) == 1:
        found = found or [field for field in DESTINATIONS if field.startswith(name)]
        found = found or [field for field in DESTINATIONS if field.rpartition(".")[2] == name]
        found = found or [field for field in DESTINATIONS if name and name in field]
    return found


def _begins(field: list[str], parts: list[str]) -> bool:
    """Each part is the beginning of the field's part (`subj.first`); `*` stands for one part or more."""
    if field[-1] == "*":
        field = field[:-1]
        if len(parts) <= len(field):
            return False
    elif len(field) != len(parts):
        return False
    return all(part and whole.startswith(part) for whole, part in zip(field, parts, strict=False))


def _filled_in(field: str, name: str) -> Destination:
    if not field.endswith("*"):
        return Destination(field, DESTINATIONS[field])
    key = ".".join(name.split(".")[2:])
    if not _INFO_KEY.fullmatch(key):
        raise Wrong(f"{field.removesuffix('*')} needs a name behind it, such as {field.removesuffix('*')}site.")
    return Destination(field.removesuffix("*") + key, DESTINATIONS[field])


def source(word: str, *, dicom: bool) -> str:
    """The field of a source file, or the DICOM keyword, that a word means. Raises Wrong."""
    name = SOURCE_ALIASES.get(word.strip().lower(), word.strip())
    if name.lower() in SOURCE_FIELDS:
        return name.lower()
    keyword = dicom_keyword(name)
    if keyword and dicom:
        return keyword
    begun = [field for field in SOURCE_FIELDS if name and field.startswith(name.lower())]
    if len(begun) == 1:
        return begun[0]
    if len(begun) > 1:
        raise Wrong(f"The field {word} may mean {_either(begun)}: say which.")
    if keyword:
        raise Wrong(f"{keyword} is in DICOM headers only: add `type: dicom` to the rule.")
    raise Wrong(_no_source(name or "(empty)", dicom=dicom))


def _no_source(name: str, *, dicom: bool) -> str:
    near = nearest(name, [*SOURCE_FIELDS, *SOURCE_ALIASES]) or (nearest(name, _common_keywords()) if dicom else "")
    also = ", or a DICOM keyword" if dicom else ""
    fields = f" The fields are {', '.join(SOURCE_FIELDS)}{also}."
    return f"There is no field {name} to read.{near or fields}"


def dicom_keyword(word: str) -> str:
    """`PatientID`, `0010,0020`, `(0010,0020)` and `00100020` are one; empty for what the standard does not name."""
    tag = tag_for_keyword(word)
    found = _TAG.fullmatch(word)
    if tag is None and found:
        tag = int(found.group(1) + found.group(2), 16)
    if tag is None or not dictionary_has_tag(tag):
        return ""
    return str(dictionary_keyword(tag))


def representation(keyword: str) -> str:
    """The value representation of a keyword (DICOM PS3.6), the first of several."""
    tag = tag_for_keyword(keyword)
    return str(dictionary_VR(tag)).split(" ", 1)[0] if tag is not None else ""


def _common_keywords() -> list[str]:
    return [
        "PatientID", "PatientName", "PatientSex", "PatientAge", "PatientBirthDate", "PatientWeight", "Modality",
        "StudyDescription", "SeriesDescription", "ProtocolName", "StudyDate", "StudyTime", "SeriesDate", "SeriesNumber",
        "AcquisitionDate", "AcquisitionNumber", "InstanceNumber", "StudyInstanceUID", "SeriesInstanceUID", "ImageType",
        "SOPInstanceUID", "SOPClassUID", "AccessionNumber", "StudyID", "InstitutionName", "Manufacturer", "StationName",
        "ManufacturerModelName", "BodyPartExamined", "OperatorsName", "StudyComments", "ImageComments", "SequenceName",
        "ReferringPhysicianName", "RequestedProcedureDescription", "ScanningSequence", "MagneticFieldStrength",
    ]  # fmt: skip


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"
