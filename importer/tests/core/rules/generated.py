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


FILTERS = [
    "path=~*.dcm", "path=~\\.dcm$!r", "path=~.dcm$", "path=~sub", "path!~sub", "path=sub-01/ses-1/anat/t1.nii.gz",
    "path=~**/anat/*", "path=~^sub", "path=~SUB-0[1]", "path=~sub-01/*/anat", "path!=a.txt", "path>m",
    "path<=sub-02",
    "name=.DS_Store", "name=T1.NII.GZ", "name=~^t1", "name=~*.nii.gz", "name!~json", "na=~t", "filename=~t",
    "dirname=~anat",
    "dir=a/b", "dir=~ses", "dir!=a", "dir=", "depth=2", "depth>2", "depth<=1", "depth!=4", "depth==4", "size>1kB",
    "size=1024", "size<1.5KiB", "size>=0", "size!=1025", "size=1 k", "mtime>2020-09-13",
    "mtime<2020-09-13 12:26:41", "mtime=2020", "mtime>=2020-09", "created<2019", "modified=2020-09-13T12",
    "ctime!=2020-09-13", "path=~a+b", "path=~(x|y)", "path=~[0-9]+!r",
    "path=~\\uid",
]  # fmt: skip
MAPPINGS = [
    "path={sub}/{ses}/{acq}/{file}", "path={sub}/{ses}/{acq}/*", "path=sub-{sub}[/ses-{ses}]/{acq}/{file.name}",
    "path=**/{sub:S\\d+}_{ses}_{acq}/*.dcm", "name={sub}_{ses}_{acq}.nii.gz", "name={sub}_{ses}_{acq}.nii.gz!i",
    "path=.*/{@site:[0-9]+}-{subject.label:[0-9]+}_V{@v:[0-9]+}/.*!r", "path={subject.info.site}/*/*/*", "path=subject",
    "name={file.info.n}", "path=**/{acq}/*", "subject={dir}", "dir={subject.label}/{session.label}",
    "path={sub:[a-z]+}/.*!r", "{name/[^0-9]+/}=session.info.number", "{name:.4}=session",
    "{name|none}=acq", "{dir/\\/.*/}=sub", "{depth}=session.info.depth", "{size}=file.info.size",
    "path={weight:\\d+}/*", "path={session.age:\\d+}*", "path={sub.sex}/*",
    "path={subj.tags}/*", "path=[a/]{sub}/**/*", "path={sub}/{ses}/{acq}/**/*", "name=*_{acq:T1|T2}*", "name={acq}.*",
    "path=\\[{sub}\\]/*", "name={acq:\\uid}.dcm", "path={sub}/{session.timestamp}/*", "name={timestamp}_*",
    "{path/\\//_}=file.name", "{name}-{depth}=acq", "{name:>10}=acq", "path=*{sub:[0-9]{2}}/*!r", "path={grp}/{prj}/*",
]  # fmt: skip
SETTINGS = [
    "session.label=baseline", "session=baseline", "ses= x ", "sub=T2*", "acquisition.label=a/b", "subject.info.site=12",
    "subject.info.on=true", "file.tags=a,b", "subject.sex=F", "subject.sex=x", "session.age=old", "session.weight=70.5",
    "group=AB.c", "group=x", "file.type=nifti", "file.modality=MR", "sub=...", "classification.Intent=Structural,Other",
    "subject.species=mouse", "subject.type=human",
]  # fmt: skip
# One in eight is of these: wrong, or right for one of both only.
ODD = {
    "filters": [
        "level=1", "s=1", "depth=x", "depth=~1", "size>big", "size=~1", "mtime=soon", "nothing=1", "path", "", "=x",
        "path=~(", "PatientID=x", "path=~.*!x", "d=1", "path~x", "ext=nii", "path=~", "size >1kB",
    ],
    "mappings": [
        "path={}", "path={sub", "path=sub}", "nothing={sub}", "path={nothing}", "path={label}", "path",
        "path={sub}/{sub}/*", "session.label=Visit {!@v}", "session.label={!sub}", "path={sub:[a-z]+}/*",
        "{sub}/*={path}", "subj={name}", "sub={name}",
    ],
    "settings": ["nothing=1", "sub", "session.timestamp=2020-01-02T03:04:05Z"],
}  # fmt: skip
PARTS = [
    "sub-01", "sub-02", "ses-1", "ses-2", "anat", "S001_V1_T2", "X001_V1_T2", "004-001_V1", "DICOM", "a", "b", "x y",
    " a ", "T2*",
    "[01]", "a+b", "é", "20200102", "2020-01-02", "F", "..", "a.", "1.2.3.4.5.6", "abc12",
]  # fmt: skip
NAMES = [
    "t1.nii.gz", "T1.NII.GZ", "S_001_baseline_T1w.nii.gz", "foo.nii.gz", "x.dcm", "a.dcm.gz", ".DS_Store",
    "1.2.3.4.5.dcm",
    "20200102_030405.txt", "a.txt", "noext", "sub-01_T1_bold.json", "b (1).txt", "T2.nii",
]  # fmt: skip


def rules(count: int, files: int, *, seed: int = 6) -> list[tuple[dict[str, object], list[dict[str, object]]]]:
    """Rules, each with some files to place."""
    chance = random.Random(seed)
    return [(_rule(chance), [_file(chance) for _ in range(files)]) for _ in range(count)]


def _rule(chance: random.Random) -> dict[str, object]:
    made: dict[str, object] = {}
    if chance.random() < 0.3:
        made["level"] = chance.choice(["project", "subject", "session", "acquisition"])
    for key, pool, odd, likely, most in (
        ("include", FILTERS, "filters", 0.5, 2),
        ("exclude", FILTERS, "filters", 0.2, 1),
        ("mappings", MAPPINGS, "mappings", 0.7, 2),
        ("defaults", SETTINGS, "settings", 0.3, 2),
        ("overrides", SETTINGS, "settings", 0.15, 1),
    ):
        if chance.random() < likely:
            pool = ODD[odd] if chance.random() < 0.12 else pool  # noqa: PLW2901  the other pool
            made[key] = chance.sample(pool, chance.randint(1, most))
    return made


def _file(chance: random.Random) -> dict[str, object]:
    parts = [chance.choice(PARTS) for _ in range(chance.choice([0, 1, 2, 3, 3, 3, 4]))]
    if chance.random() < 0.4:
        parts = [f"sub-0{chance.randint(1, 3)}", f"ses-{chance.randint(1, 2)}", chance.choice(["anat", "func"])][
            : len(parts)
        ]
    path = "/".join([*parts, chance.choice(NAMES)])
    return {
        "path": path,
        "name": path.rpartition("/")[2],
        "dir": path.rpartition("/")[0],
        "depth": path.count("/") + 1,
        "size": chance.choice([0, 1, 1023, 1024, 1025, 1536, 10**9]),
        "ctime": chance.choice([1_500_000_000, 1_600_000_000, 1_700_000_000]),
        "mtime": chance.choice([1_500_000_000, 1_600_000_000, 1_600_000_001, 1_599_955_200, 1_700_000_000]),
    }
