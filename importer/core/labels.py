r"""Labels and names made safe: what a tag or a file says is hostile until it has passed through here.

The published rules: every `*` becomes the word `star`, each run of forbidden characters one `_`, trailing dots go.
Ours on top: outer spaces of a label are trimmed, and characters that no database or page should meet (lone
surrogates, C1 controls, line separators, direction overrides) are forbidden as well.
"""

import re

from importer.core.names import printable, raw

LABEL_LENGTH = 64
ACQUISITION_LABEL_LENGTH = 128
NAME_LENGTH = 255
COMPONENT_BYTES = 200

# A name that is not UTF-8 is decoded with surrogate escapes (U+DC80..U+DCFF), which `names.printable` writes back.
_ODD = r"*/:<>?\\|\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_IN_LABEL = re.compile(rf"[{_ODD}\ud800-\udfff]+")
_IN_FILE_NAME = re.compile(rf"[{_ODD}\ud800-\udc7f\udd00-\udfff]+")
_IN_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_EXTENSION = re.compile(r"(?:\.dicom\.zip|\.nii\.gz|\.tar\.[a-z0-9]{1,4}|\.[^.\s]{1,16})\Z", re.IGNORECASE)
_TRAIL = re.compile(r"[.\s]+\Z")
_GROUP_ID = re.compile(r"[0-9a-z][0-9a-z.@_-]{0,62}[0-9a-z]")


def clean_label(text: str, limit: int = LABEL_LENGTH) -> str:
    """The label of a group, project, subject or session; empty where nothing is left, which means missing."""
    cleaned = _IN_LABEL.sub("_", text.strip().replace("*", "star"))
    return _TRAIL.sub("", cleaned[:limit])


def clean_acquisition_label(text: str) -> str:
    return clean_label(text, ACQUISITION_LABEL_LENGTH)


def clean_group_id(text: str) -> str:
    """Lower-cased; empty where it is no group id (2 to 64 characters)."""
    lowered = text.strip().lower()
    return lowered if _GROUP_ID.fullmatch(lowered) else ""


def clean_text(text: str, limit: int) -> str:
    """For what is shown but names nothing, such as a person: one line, without control characters."""
    return _IN_TEXT.sub(" ", text).strip()[:limit].rstrip()


def clean_file_name(name: str) -> str:
    r"""A file's name in the archive, from its printable form to its printable form; never empty.

    Cut at 255 characters of the name itself: an escape `\xNN` stands for one byte, so the result has 1,020 at most.
    Spaces stay: two files of one folder keep two names.
    """
    decoded = raw(name).decode("utf-8", "surrogateescape")
    cleaned = _shortened(_IN_FILE_NAME.sub("_", decoded.replace("*", "star")), NAME_LENGTH).rstrip(".")
    return printable((cleaned if cleaned.strip() else "_").encode("utf-8", "surrogateescape"))


def split_extension(name: str) -> tuple[str, str]:
    """Stem and extension; `.dicom.zip`, `.nii.gz` and `.tar.*` count as one. A leading dot begins no extension."""
    found = _EXTENSION.search(name, 1)
    return (name[: found.start()], found.group()) if found else (name, "")


def on_disk(text: str, limit: int = COMPONENT_BYTES) -> str:
    """One component of a path: never empty, `.` or `..`, no separator or control character, `limit` bytes at most."""
    return _fitting(_TRAIL.sub("", _IN_LABEL.sub("_", text)), limit) or "_"


def _shortened(name: str, limit: int) -> str:
    if len(name) <= limit:
        return name
    stem, extension = split_extension(name)
    return stem[: limit - len(extension)] + extension


def _fitting(name: str, limit: int) -> str:
    """Cut on a character's boundary."""
    if len(name.encode()) <= limit:
        return name
    stem, extension = split_extension(name)
    room = limit - len(extension.encode())
    return _TRAIL.sub("", stem.encode()[:room].decode("utf-8", "ignore")) + extension
