"""Source trees of any size from one real header: pydicom's CT_small, with fixed-length values written over in place.

The benchmark's trees are plain (every file lands); the crash run's has everything in it that an import can meet.
"""

import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pydicom.data

ROOT = "1.2.826.0.1.3680043.8.498"
SMALL, LARGE = 80, 512  # Sides of a slice in pixels: files of 19 KB and of 531 KB.
TINY = 16


@dataclass(frozen=True, slots=True)
class Spot:
    """One instance: the numbers that its identity is made of. `salt` makes other content under the same identity."""

    study: int
    series: int
    number: int = 1
    subject: int = 1
    description: int | None = None
    labelled: int | None = None
    known: bool = True
    salt: int = 0


class Template:
    """A real header around `side` x `side` pixels. Values that tell instances apart are joined in as bytes."""

    def __init__(self, *, side: int) -> None:
        shipped = pydicom.dcmread(Path(pydicom.data.__file__).parent / "test_files" / "CT_small.dcm")
        del shipped[0xFFFC, 0xFFFC]
        shipped.Rows = shipped.Columns = side
        pixels = shipped.PixelData
        shipped.PixelData = (pixels * (2 * side * side // len(pixels) + 1))[: 2 * side * side]
        marks = _values(Spot(0, 0, 0, 0))
        for keyword, value in marks.items():
            setattr(shipped, keyword, value)
        shipped.file_meta.MediaStorageSOPInstanceUID = marks["SOPInstanceUID"]
        written = io.BytesIO()
        shipped.save_as(written)
        whole = written.getvalue()
        self._pixels = whole[-2 * side * side + 16 :]
        self._parts = list(_cut(whole[: -2 * side * side], marks))

    def instance(self, spot: Spot) -> bytes:
        """The file. Its first eight pixels carry its identity, so no two are equal."""
        values = {keyword: value.encode() for keyword, value in _values(spot).items()}
        own = b"%04d%04d%06d%02d" % (spot.study % 10_000, spot.series, spot.number, spot.salt)
        return b"".join(
            [*(part if isinstance(part, bytes) else values[part] for part in self._parts), own, self._pixels]
        )


def _values(spot: Spot) -> dict[str, str]:
    """Keyword → text, of the same length for every Spot. Components of a UID never begin with 0 (DICOM PS3.5 9.1)."""
    study, series = 100_000 + spot.study, 100_000 + spot.series
    described = 1000 + (spot.series if spot.description is None else spot.description)
    labelled = 1000 + (spot.study if spot.labelled is None else spot.labelled)
    return {
        "SOPInstanceUID": f"{ROOT}.3.{study}.{series}.{1_000_000 + spot.number}",
        "StudyInstanceUID": f"{ROOT}.1.{study}",
        "SeriesInstanceUID": f"{ROOT}.2.{study}.{series}",
        "PatientID": f"P{spot.subject:05d}" if spot.known else "      ",
        "PatientName": f"Doe^N{spot.subject:05d}",
        "StudyDescription": f"Study {labelled}",
        "SeriesDescription": f"Series {described}",
        "SeriesNumber": str(described),
        "InstanceNumber": str(1_000_000 + spot.number),
        "OperatorsName": f"OP{spot.series:04d}",
    }


def _cut(header: bytes, marks: dict[str, str]) -> Iterator[bytes | str]:
    """The header as pieces: bytes as they stand, and the keywords of what is written in between."""
    places = sorted(
        (place, keyword) for keyword, value in marks.items() for place in _places(header, value.encode(), keyword)
    )
    done = 0
    for place, keyword in places:
        yield header[done:place]
        yield keyword
        done = place + len(marks[keyword])
    yield header[done:]


def _places(header: bytes, value: bytes, keyword: str) -> list[int]:
    """The value's own, never those inside of a longer value."""
    tag = pydicom.datadict.tag_for_keyword(keyword)
    heads = [tag] if keyword != "SOPInstanceUID" else [tag, 0x00020003]
    found = []
    for number in heads:
        start = (number >> 16).to_bytes(2, "little") + (number & 0xFFFF).to_bytes(2, "little")
        element = next(at for at in _all(header, start) if header[at + 8 :].startswith(value))
        found.append(element + 8)
    return found


def _all(header: bytes, piece: bytes) -> Iterator[int]:
    at = header.find(piece)
    while at >= 0:
        yield at
        at = header.find(piece, at + 1)


def plain(root: Path, *, side: int, studies: int, series: int, instances: int) -> int:
    """`root/STUDY/SERIES/IM000001.dcm`: how many files. Every one of them lands in an empty archive."""
    template = Template(side=side)
    for study in range(studies):
        for number in range(series):
            _series(
                root / f"ST{study:04d}" / f"SE{number:04d}", template, Spot(study, number, subject=study), instances
            )
    return studies * series * instances


def _series(folder: Path, template: Template, spot: Spot, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        (folder / f"IM{number:06d}.dcm").write_bytes(template.instance(replace(spot, number=number)))


def mixed(root: Path, *, files: int) -> int:
    """A delivery with all that can happen in it, of about so many files. Gives how many there are.

    Per study: eight series, notes beside them, a name that comes twice with equal and with other content; in some, an
    instance that comes twice, a series without a patient, one that disagrees with itself, one whose label is taken, a
    study whose label is taken; in the first, whatever is no import at all.
    """
    template = Template(side=TINY)
    for study in range(max(2, files // 350)):
        _study(root / f"ST-{study:06d}", template, study)
    _large(root / "ST-large", count=files // 50)
    _no_imports(root / "ST-000000", template)
    _ready_made(root / "ST-000001", template)
    _fill(root, files)
    return _count(root)


def _study(folder: Path, template: Template, study: int) -> None:
    spot = Spot(study, 0, subject=study // 2)
    for series in range(8):
        _series(folder / f"SE{series}", template, replace(spot, series=series), 25)
    _twice(folder / "SE0", template, spot)
    _series(folder / "anonymous", template, replace(spot, series=20, known=False), 5)
    _disagreeing(folder / "disagreeing", template, replace(spot, series=21))
    _series(folder / "taken", template, replace(spot, series=22, description=1), 5)
    if study % 4 == 1:
        # Another study of the same person that calls itself like the one before.
        _series(folder / "namesake", template, replace(spot, study=5000 + study, series=23, labelled=study), 5)
    for where, text in (("notes", "same"), ("more", "same"), ("other", "not the same")):
        (folder / where).mkdir()
        (folder / where / "protocol.txt").write_text(f"{text} {study}")


def _twice(folder: Path, template: Template, spot: Spot) -> None:
    first = replace(spot, number=3)
    (folder / "again.dcm").write_bytes(template.instance(first))
    (folder / "differs.dcm").write_bytes(template.instance(replace(first, salt=1)))


def _disagreeing(folder: Path, template: Template, spot: Spot) -> None:
    _series(folder, template, spot, 3)
    (folder / "X.dcm").write_bytes(template.instance(replace(spot, number=9, labelled=spot.study + 4000)))


def _large(folder: Path, *, count: int) -> None:
    template = Template(side=LARGE)
    for series in range(2):
        _series(folder / f"SE{series}", template, Spot(4000, series, subject=4000), count // 2)


def _no_imports(folder: Path, template: Template) -> None:
    whole = template.instance(Spot(0, 30, subject=0))
    (folder / "empty.dcm").touch()
    (folder / "cut.dcm").write_bytes(whole[:-100])
    (folder / "header-cut.dcm").write_bytes(whole[:2000])
    (folder / "not-dicom.dcm").write_text("text")
    (folder / ".DS_Store").write_text("junk")
    (folder / "link.dcm").symlink_to("SE0/IM000001.dcm")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"name-\xff\n.txt")).write_text("an odd name")
    (folder.parent / "at-the-top.txt").write_text("no rule matches")


def _ready_made(folder: Path, template: Template) -> None:
    with zipfile.ZipFile(folder / "ready.dicom.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.dcm", template.instance(Spot(1, 40, number, subject=0)))


def _fill(root: Path, files: int) -> None:
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    for number in range(files - _count(root)):
        folder = folders[number % len(folders)] / "documents"
        folder.mkdir(exist_ok=True)
        (folder / f"report-{number:05d}.txt").write_text(f"Report {number}\n" * (1 + number % 50))


def _count(root: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(root))


def remove(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
