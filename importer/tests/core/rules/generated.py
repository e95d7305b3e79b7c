"""Cases for the comparison with the reference libraries: always the same ones, most of them awkward."""

import random
import struct

from pydicom.datadict import dictionary_VR, tag_for_keyword

from importer.tests.core.made import BASE

MOMENTS = {
    "Date": [
        "20200102",
        "20200103",
        "19991231",
        "20201399",
        "2020.01.02",
        "20200230",
        "202001",
        "00010101",
        "20200102 ",
    ],
    "Time": [
        "030405",
        "040506.678900",
        "0304",
        "03",
        "235960",
        "250000",
        "03:04:05",
        "030405.1",
        "noon",
        "030405.123456",
    ],
}
# Values by keyword; None is an element that is not there.
VALUES: dict[str, list[str | None]] = {
    "PatientID": [
        None, "", "   ", "P02", "A/B", "A/B\\C", " P01", "P01 ", "???", ".", "..", "T2* x", "ÄÖ-01", 'x"y%', "p" * 70,
        "sub.01..", "a\tb", "x:y", "日本", "a  b", "P01.", "*",
    ],
    "PatientName": [
        None, "", "DOE^JANE^M", "Jane van Doe", "anon", "DOE^", "^JANE", "DOE^JANE^^DR", "Doe", "O'NEILL^MARY-ANN",
        "DOE^JANE=漢字", " DOE ^ JANE ", "DOE JANE^M",
    ],
    "PatientSex": [None, "", "M", "F", "O", "X", "m", "MALE"],
    "PatientAge": [None, "", "060Y", "006M", "010W", "010D", "60", "000Y", "60y", "Y60", "1Y", "  60Y"],
    "PatientBirthDate": [None, "", "19800101", "20300101", "19801301", "1980"],
    "PatientWeight": [None, "", "70", "70.5", "0", "7e1", "heavy", "-3", "70\\80"],
    "OperatorsName": [None, "", "DOE^JANE", "DOE^JANE\\ROE^JOHN", "Jane Doe", "anon\\DOE^JANE"],
    "StudyDescription": [
        None, "", "   ", "BRAIN^ROUTINE", "???", "s" * 100, "Head.", "a\\b", "..", " Brain ", "T2* <a>", "x\ny", "é",
    ],
    "SeriesDescription": [
        None, "", " ", "t1", "T2* axial <a>:b?", "ax\\t2", "y" * 200, "t1...", "???", ".", " t1 ", "t1/t2", "*",
    ],
    "ProtocolName": [None, "", "prot", "prot*", " "],
    "SeriesNumber": [None, "", "3", "0", "03", "-1", "12.0", "3\\4", "x"],
    "Modality": [None, "", "MR", "CT", "mr", "M R"],
    "StudyInstanceUID": [
        "1.2.3.4.1", "1.3.12.2.1107.5.2.20200405060708123.0", "1.2.20201399060708.1", "1.2.3.20200405060708", None,
    ],
    "SeriesInstanceUID": ["1.2.3.4.1.1", "1.3.12.2.1107.5.2.20210405060708123.0", None],
    "SOPInstanceUID": ["1.2.3.4.1.1.1", "1.2.3.4.1.1.2", None],
    "TimezoneOffsetFromUTC": [None, "", "-0500", "0200", "+0530", "+1500", "UTC"],
    "AcquisitionDateTime": [
        None, None, "", "20200109101112.5", "20200109", "2020010910", "20200109101112-0500", "20201399101112", "2020",
        "20200109101112.500000+0100",
    ],
    **{
        f"{what}{part}": [None, None, "", *values]
        for what in ("Study", "Series", "Acquisition")
        for part, values in MOMENTS.items()
    },
}  # fmt: skip
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def headers(count: int, *, seed: int = 4) -> list[dict[str, str]]:
    """Elements by keyword: the base of the published table with one to eight changes."""
    chance = random.Random(seed)
    return [_header(chance) for _ in range(count)]


def _header(chance: random.Random) -> dict[str, str]:
    changed = chance.sample(sorted(VALUES), chance.choice([1, 1, 2, 3, 4, 6, 8]))
    made: dict[str, str | None] = dict(BASE)
    for keyword in changed:
        if keyword not in UIDS or chance.random() < 0.4:
            made[keyword] = chance.choice(VALUES[keyword])
    return {keyword: value for keyword, value in made.items() if value is not None}


def dicom_file(header: dict[str, str]) -> bytes:
    """Explicit little endian, byte by byte: no library has a say in what may be written."""
    elements = sorted((tag_for_keyword(keyword), keyword, value) for keyword, value in header.items())
    body = b"".join(_element(tag, dictionary_VR(keyword), value) for tag, keyword, value in elements)
    meta = _element(0x00020002, "UI", BASE["SOPClassUID"]) + _element(0x00020003, "UI", "1.2")
    meta += _element(0x00020010, "UI", "1.2.840.10008.1.2.1")
    return bytes(128) + b"DICM" + _element(0x00020000, "UL", struct.pack("<L", len(meta))) + meta + body


def _element(tag: int, vr: str, value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(raw)) + raw
