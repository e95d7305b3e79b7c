r"""Keys as bytes and as text, and back: the printable form.

The same as that of source paths: UTF-8 where that decodes, a byte that is none as `\xNN`, a backslash that would read
as such an escape as `\x5c`, a colon before another one as `\x3a`. NUL, which no database takes, is `\x00`. The way back
is exact for every key. Keys stand in the order of their bytes.
"""

import re

_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_COLON = re.compile(":(?=:)")
_SURROGATE = re.compile("[\udc80-\udcff]")


def printable(raw: bytes) -> str:
    text = raw.decode("utf-8", "surrogateescape")
    text = _ESCAPE.sub(lambda found: "\\x5c" + found.group(0)[1:], text)
    text = _COLON.sub(r"\\x3a", text).replace("\0", "\\x00")
    return _SURROGATE.sub(lambda found: f"\\x{ord(found.group()) - 0xDC00:02x}", text)


def raw(text: str) -> bytes:
    """The bytes that `printable` was given."""
    if "\\x" not in text:
        return text.encode()
    parts = _ESCAPE.split(text)
    pieces = [part.encode() for part in parts]
    pieces[1::2] = [bytes([int(part, 16)]) for part in parts[1::2]]
    return b"".join(pieces)


def of_service(key: str) -> bytes:
    """What a service calls an object. Lone surrogates, which JSON can carry, are bytes like any other."""
    return key.encode("utf-8", "surrogatepass")


def for_service(key: bytes) -> str:
    """Raises UnicodeDecodeError for what no service can hold."""
    return key.decode("utf-8", "surrogatepass")


def folder(prefix: str) -> bytes:
    """A configured prefix as the beginning of every key below it: empty, or with a `/` at its end."""
    found = raw(prefix)
    return found if not found or found.endswith(b"/") else found + b"/"
