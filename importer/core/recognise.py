"""What a file is, by its name and its first bytes."""

import re

from importer.core.names import base_name, parts_of

PREAMBLE = 132
_EXTENSIONS = (".dcm", ".dicom", ".ima")
_NUMBER = re.compile(r"[0-9]+")
_UID_NAME = re.compile(r"(?:[a-z]{2,8}\.)?[0-9]+(?:\.[0-9]+){4,}")
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_UID_LENGTH = 64

# What operating systems and storage boxes leave behind: never somebody's data.
_JUNK = frozenset(
    {
        ".apdisk",
        ".appledb",
        ".appledouble",
        ".documentrevisions-v100",
        ".ds_store",
        ".fseventsd",
        ".localized",
        ".snapshot",
        ".snapshots",
        ".spotlight-v100",
        ".stfolder",
        ".stignore",
        ".stversions",
        ".temporaryitems",
        ".trash",
        ".trashes",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recycle",
        "__macosx",
        "desktop.ini",
        "ehthumbs.db",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)
_JUNK_STARTS = ("._", ".trash-", ".@__thumb", ".nfs0")


def claims_dicom(name: str) -> bool:
    """By its base name alone: an extension, nothing but digits, or an UID of five parts, perhaps after a modality."""
    base = base_name(name).lower()
    return base.endswith(_EXTENSIONS) or bool(_NUMBER.fullmatch(base) or _UID_NAME.fullmatch(base))


def is_junk(path: str) -> bool:
    """True when the file, or any folder above it inside the source, is an operating system's own."""
    return any(part in _JUNK or part.startswith(_JUNK_STARTS) for part in parts_of(path.lower()))


def has_preamble(start: bytes) -> bool:
    """DICOM PS3.10 7.1: 128 bytes of anything, then `DICM`."""
    return start[128:PREAMBLE] == b"DICM"


def is_series_archive(name: str) -> bool:
    return name.lower().endswith(".dicom.zip")


def well_formed_uid(text: str) -> bool:
    """DICOM PS3.5 9.1, but lenient about leading zeros, which real devices write."""
    return len(text) <= _UID_LENGTH and bool(_UID.fullmatch(text))
