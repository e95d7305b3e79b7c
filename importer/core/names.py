r"""File names as bytes and as text, and back.

Databases and pages want text; a file name is bytes. The printable form is UTF-8 where that decodes, with every byte
that does not written as `\xNN`. A backslash that would read as such an escape is written `\x5c`, and a colon before
another one `\x3a`, so the way back is exact for every name, and `::` stands nowhere but between an archive and the
name of its member.
"""

import re

BETWEEN = "::"
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_COLON = re.compile(":(?=:)")
_COLON_ESCAPED = "\\\\x3a"
_SURROGATE = re.compile("[\udc80-\udcff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(raw: bytes) -> str:
    """Reversible text for a name or path of any bytes."""
    text = raw.decode("utf-8", "surrogateescape")
    text = _ESCAPE.sub(lambda found: "\\x5c" + found.group(0)[1:], text)
    text = _COLON.sub(_COLON_ESCAPED, text)
    return _SURROGATE.sub(lambda found: f"\\x{ord(found.group()) - 0xDC00:02x}", text)


def raw(text: str) -> bytes:
    """The bytes that `printable` was given."""
    if "\\x" not in text:
        return text.encode()
    parts = _ESCAPE.split(text)
    pieces = [part.encode() for part in parts]
    pieces[1::2] = [bytes([int(part, 16)]) for part in parts[1::2]]
    return b"".join(pieces)


def member_path(archive: str, member: str) -> str:
    """The path of an archive's member; both are printable. Colons at the seam are spelled out."""
    if archive.endswith(":"):
        archive = archive[:-1] + "\\x3a"
    if member.startswith(":"):
        member = "\\x3a" + member[1:]
    return archive + BETWEEN + member


def archive_and_member(path: str) -> tuple[str, str]:
    """The member is empty where the path is a file's own."""
    archive, _, member = path.partition(BETWEEN)
    return archive, member


def folder_of(path: str) -> str:
    """What a file lies in: a folder, a folder inside an archive, or the archive; '' at the root."""
    return path[: max(path.rfind("/"), path.rfind(BETWEEN), 0)]


def base_name(path: str) -> str:
    return path[max(path.rfind("/") + 1, path.rfind(BETWEEN) + 2 if BETWEEN in path else 0) :]


def parts_of(path: str) -> list[str]:
    """Folders from the top, an archive among them, then the file's own name."""
    return path.replace(BETWEEN, "/").split("/")


def shown(text: str) -> str:
    r"""For a page or a terminal: control characters and direction marks spelled out as `\n`, `\u202e`."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
