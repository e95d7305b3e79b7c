"""Stored bytes on their way to a reader: whole or, so that a broken download can go on, one range of them."""

import hashlib
import logging
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from hierarchy.errors import Refused
from hierarchy.manifests import InPlace
from hierarchy.models import DigestOf, FileVersion
from hierarchy.references import Reference, blocks, config_for, opened, record, reference_of, still_there
from hierarchy.zipping import Zipped, length
from storages.errors import PlaceError
from storages.places import archive
from storages.stores import Changed, Missing, StoreConfig, StoreError, Unreadable

log = logging.getLogger(__name__)

BLOCK = 1 << 18
DICOM = "application/dicom"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
# What no file system or header takes in a name, and what would make a folder of it.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069/\\]")


def download(request: HttpRequest, version: FileVersion, *, name: str) -> HttpResponseBase:
    """The bytes of a version as an attachment. Raises Refused when they are not where they were stored."""
    response = _by_reference(request, version, name) if version.reference else _own(request, version)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=_UNFIT.sub("_", name))
    response["ETag"] = _etag(version)
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    return response


def _own(request: HttpRequest, version: FileVersion) -> HttpResponseBase:
    try:
        stream = archive().open(version.path)
    except (OSError, PlaceError) as error:
        raise Refused(
            "The bytes of this version cannot be read where they were stored. "
            "Ask whoever runs the archive to check that its disk is there."
        ) from error
    return _answer(request, version, stream)


def _by_reference(request: HttpRequest, version: FileVersion, name: str) -> HttpResponseBase:
    """From where they lie, in the middle broken off where they are not what they were."""
    reference = reference_of(version)
    try:
        config = config_for(reference.storage)
        still_there(reference)
        whole = length(reference.members) if reference.packed else version.size
        span = _wanted(request, version, whole)
        stream = _stream(config, version, reference, span or (0, whole - 1), whole)
    except ValueError:
        return _no_such_part(whole)
    except StoreError as error:
        raise Refused(_words(error)) from error
    return _streamed(stream, span, whole, kind=content_type(name))


def _stream(
    config: StoreConfig, version: FileVersion, reference: Reference, span: tuple[int, int], whole: int
) -> "Part | Passing":
    if reference.packed:
        return Passing(Packed(config, version, reference), *span, whole)
    if span == (0, whole - 1):
        return Passing(Whole(config, version, reference.members[0]), *span, whole)
    return Part(opened(config, reference.members[0]), *span)


def _no_such_part(whole: int) -> HttpResponse:
    return HttpResponse(status=416, headers={"Content-Range": f"bytes */{whole}"})


def _words(error: StoreError) -> str:
    if isinstance(error, Missing):
        return "What this refers to is not at its source any more. Put it back there, or ask whoever runs the source."
    if isinstance(error, Changed):
        return "What this refers to is not what was imported: its source has changed since. Import it again."
    if isinstance(error, Unreadable):
        return f"What this refers to cannot be read at its source. {error}"
    return f"The storage that this refers to cannot be reached: {error}"


def _wanted(request: HttpRequest, version: FileVersion, whole: int) -> tuple[int, int] | None:
    """None where no part is asked for. ValueError for a part that there is not."""
    asked = request.headers.get("Range", "")
    if not asked or request.headers.get("If-Range", _etag(version)) != _etag(version):
        return None
    return _span(asked, whole)


def _streamed(
    stream: "Part | Passing", span: tuple[int, int] | None, whole: int, *, kind: str
) -> StreamingHttpResponse:
    response = StreamingHttpResponse(stream, status=206 if span else 200, content_type=kind)
    response["Content-Length"] = str(span[1] - span[0] + 1 if span else whole)
    if span:
        response["Content-Range"] = f"bytes {span[0]}-{span[1]}/{whole}"
    return response


def content_type(name: str) -> str:
    if name.lower().endswith((".dcm", ".dicom", ".ima")):
        return DICOM
    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def _etag(version: FileVersion) -> str:
    return f'"{version.pk.hex}"'


def _answer(request: HttpRequest, version: FileVersion, stream: BinaryIO) -> HttpResponseBase:
    kind = content_type(version.path)
    try:
        span = _wanted(request, version, version.size)
    except ValueError:
        stream.close()
        return _no_such_part(version.size)
    if span is None:
        return FileResponse(stream, content_type=kind)
    return _streamed(Part(stream, *span), span, version.size, kind=kind)


def _span(asked: str, size: int) -> tuple[int, int]:
    """First and last byte of the one range that is asked for (RFC 9110, 14.1.2). ValueError where there is none."""
    found = _RANGE.fullmatch(asked)
    if found is None or not any(found.groups()):
        raise ValueError
    first, last = found.groups()
    if not first:
        begin, end = max(size - int(last), 0), size - 1
    else:
        begin, end = int(first), min(int(last or size - 1), size - 1)
    if begin > end:
        raise ValueError
    return begin, end


@dataclass(slots=True)
class Part:
    """Bytes `first` to `last` of a stream, which is closed with the answer, begun or not."""

    stream: BinaryIO
    first: int
    last: int

    def __iter__(self) -> Iterator[bytes]:
        self.stream.seek(self.first)
        left = self.last - self.first + 1
        while left and (block := self.stream.read(min(BLOCK, left))):
            left -= len(block)
            yield block

    def close(self) -> None:
        self.stream.close()


@dataclass(slots=True)
class Whole:
    """A file where it lies, from its first byte to its last. What is read for the first time keeps its digest."""

    config: StoreConfig
    version: FileVersion
    member: InPlace

    def __iter__(self) -> Iterator[bytes]:
        total = hashlib.sha256()
        for block in blocks(self.config, self.member):
            total.update(block)
            yield block
        record(self.version, {self.member.name: total.hexdigest()})


@dataclass(slots=True)
class Packed:
    """The archive of a series by reference. What is read for the first time keeps its digests."""

    config: StoreConfig
    version: FileVersion
    reference: Reference

    def __iter__(self) -> Iterator[bytes]:
        zipped = Zipped(self.config, self.reference.members, {})
        yield from zipped
        if self.version.digest_of == DigestOf.UNREAD:
            record(self.version, zipped.read)


@dataclass(slots=True)
class Passing:
    """Bytes `first` to `last` of what can only be read from its beginning on."""

    source: Whole | Packed
    first: int
    last: int
    whole: int

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        try:
            for block in self.source:
                part = block[max(self.first - at, 0) : max(self.last + 1 - at, 0)]
                at += len(block)
                if part:
                    yield part
                if at > self.last and self.last + 1 < self.whole:
                    return
        except StoreError as error:
            # The answer is shorter than it said: so its reader knows that it is not whole.
            log.warning("version=%s broke off: %s", self.source.version.pk, type(error).__name__)
            raise
