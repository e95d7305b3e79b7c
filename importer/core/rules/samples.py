"""Samples to try rules on: names, sizes, times and headers of files, packed small. No pixels, and not for long."""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_dict

from importer.core.recognise import claims_dicom
from importer.core.records import Bad, Header
from importer.core.rules.model import SourceFile

MOST_NAMES = 10_000
MOST_HEADERS = 50
# Characters of a path, and of a tag's value: what is longer is left out of a sample, or cut.
LONGEST_PATH = 4_096
LONGEST_VALUE = 1_024
# A sample that unpacks to more was not packed here.
MOST_UNPACKED = 64 * 1024 * 1024

_TEXT = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_NUMBERS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})

# A header that nobody read: the file may be DICOM all the same, so that a rule that asks for it cannot be tried.
UNREAD = Bad("unread", f"Header not read: a sample holds {MOST_HEADERS} headers at most, and none of a pasted name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a sample knows of one file. `is_dicom` None: by its name. Without `header` and `bad` it was not read."""

    file: SourceFile
    is_dicom: bool | None = None
    header: Header | None = None
    bad: Bad | None = None

    @property
    def path(self) -> str:
        return self.file.path


@dataclass(slots=True)
class SampleContent:
    """A fact as rules ask for it. `asked` says afterwards that a header was wanted which the sample has not got."""

    fact: Fact
    asked: bool = field(default=False, init=False)

    def is_dicom(self) -> bool:
        known = self.fact.is_dicom
        return claims_dicom(self.fact.path) if known is None else known

    def header(self) -> Header | Bad:
        found = self.fact.header or self.fact.bad
        self.asked = self.asked or found is None
        return found or UNREAD


class NoSample(ValueError):
    """Bytes that were not packed here."""


@cache
def keywords() -> frozenset[str]:
    """Every DICOM keyword that has a text or a number: which of them rules will ask for is not known yet."""
    return frozenset(word for word, tag in keyword_dict.items() if word and dictionary_VR(tag) in _TEXT | _NUMBERS)


def named(path: str) -> Fact:
    """A file of which the name alone is known."""
    return Fact(file=SourceFile(path=path, size=0))


def pack(facts: Sequence[Fact]) -> bytes:
    """Bounded: the first MOST_NAMES files and MOST_HEADERS headers, values cut at LONGEST_VALUE."""
    left, rows = MOST_HEADERS, []
    for fact in facts[:MOST_NAMES]:
        left -= fact.header is not None
        rows.append(_row(fact, with_header=left >= 0))
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode())


def unpack(packed: bytes) -> tuple[Fact, ...]:
    """Raises NoSample for what `pack` did not make."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(packed, MOST_UNPACKED)
        rows = [] if inflater.unconsumed_tail else json.loads(text)
    except (zlib.error, ValueError) as error:
        raise NoSample("These bytes are no sample.") from error
    if inflater.unconsumed_tail:
        raise NoSample("This sample is too large to be one.")
    return tuple(_fact(row) for row in rows)


def _row(fact: Fact, *, with_header: bool) -> dict[str, Any]:
    file, header = fact.file, fact.header if with_header else None
    row = {
        "p": file.path,
        "s": file.size,
        "m": file.mtime_ns,
        "c": file.ctime_ns,
        "d": fact.is_dicom,
        "t": header and {key: value[:LONGEST_VALUE] for key, value in header.tags.items()},
        "x": header and header.transfer_syntax,
        "o": header and list(header.operators),
        "b": fact.bad and [fact.bad.outcome, fact.bad.reason],
    }
    return {key: value for key, value in row.items() if value is not None}


def _fact(row: dict[str, Any]) -> Fact:
    header = None
    if "t" in row:
        header = Header(tags=row["t"], transfer_syntax=row["x"], pixels=None, operators=tuple(row["o"]))
    return Fact(
        file=SourceFile(path=row["p"], size=row["s"], mtime_ns=row.get("m"), ctime_ns=row.get("c")),
        is_dicom=row.get("d"),
        header=header,
        bad=Bad(*row["b"]) if "b" in row else None,
    )


def spread(paths: Iterable[str], *, most: int = MOST_HEADERS) -> list[str]:
    """Which headers to read: the first of every folder, then the second of every folder, and so on."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    found: list[str] = []
    turn = 0
    while len(found) < most and (row := [names[turn] for names in folders.values() if len(names) > turn]):
        found += row[: most - len(found)]
        turn += 1
    return found


def _scan(path: str, size: int, day: int, **tags: str) -> Fact:
    study = f"1.2.826.0.1.3680043.10.1.{tags['PatientID'].removeprefix('P')}"
    series = f"{study}.{tags['SeriesNumber']}"
    said = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
        "SOPInstanceUID": f"{series}.1",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "Modality": "MR",
        "StudyDate": f"202603{day:02}",
        "StudyTime": "081500",
        "StudyDescription": "Brain baseline",
        "Manufacturer": "Example Medical",
        **tags,
    }
    header = Header(tags=said, transfer_syntax="1.2.840.10008.1.2.1", pixels=None)
    return Fact(file=_file(path, size, day), is_dicom=True, header=header)


def _file(path: str, size: int, day: int) -> SourceFile:
    moment = (1_772_323_200 + (day - 1) * 86_400) * 1_000_000_000
    return SourceFile(path=path, size=size, mtime_ns=moment, ctime_ns=moment)


def _plain(path: str, size: int, day: int) -> Fact:
    return Fact(file=_file(path, size, day), is_dicom=False)


# Made-up files of the common kinds, for whoever has none at hand.
EXAMPLES: tuple[Fact, ...] = (
    _scan("P001/localizer/0001.dcm", 270_336, 2, PatientID="P001", SeriesNumber="1", SeriesDescription="localizer"),
    _scan("P001/t1_mprage/0001.dcm", 528_400, 2, PatientID="P001", SeriesNumber="2", SeriesDescription="t1_mprage"),
    _scan("P001/bold_rest/0001.dcm", 1_048_900, 2, PatientID="P001", SeriesNumber="3", SeriesDescription="bold_rest"),
    _plain("P001/bold_rest/physio.csv", 48_210, 2),
    _plain("P001/consent.pdf", 182_044, 2),
    _scan("P002/t1_mprage/0001.dcm", 528_400, 3, PatientID="P002", SeriesNumber="2", SeriesDescription="t1_mprage"),
    _plain("P002/.DS_Store", 6_148, 3),
    _plain("sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz", 9_914_112, 4),
    _plain("sub-01/ses-02/func/sub-01_ses-02_task-rest_bold.nii.gz", 84_220_416, 4),
    _plain("sub-01/ses-02/func/sub-01_ses-02_task-rest_bold.json", 2_112, 4),
    _plain("S003_V1_T2/0001.nii", 7_340_384, 5),
    _plain("README.txt", 812, 1),
)
