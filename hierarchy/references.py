"""Bytes that stay where they came from: read there, each file held to how it was listed when it was imported."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

from django.db import transaction

from hierarchy import manifests
from hierarchy.manifests import InPlace
from hierarchy.models import DigestOf, FileVersion, Manifest
from storages.health import config_of
from storages.models import ExternalStorage
from storages.secrets import KeyMissing
from storages.stores import Changed, Kind, StoreAway, StoreConfig, StoreDenied, store_for
from storages.stores.plain import opened_plainly, still

BLOCK = 1 << 20
# Files that are read at once from a service: most of the time of a small one is waiting.
AT_ONCE = 8
ANOTHER = "The content is not what it was when it was first read, although size and time are the same."


@dataclass(frozen=True, slots=True)
class Reference:
    """Files of one storage: one as it is, or (`packed`) the members of an archive that lies nowhere."""

    storage: ExternalStorage
    members: tuple[InPlace, ...]
    packed: bool

    def named(self, names: Iterable[str]) -> list[InPlace]:
        """In the order asked for; what is not there is left out."""
        known = {member.name: member for member in self.members}
        return [known[name] for name in names if name in known]


def reference_of(version: FileVersion) -> Reference:
    """Of a version whose bytes are not ours. One or two queries."""
    assert version.storage is not None  # noqa: S101  a check constraint of FileVersion
    lines = Manifest.objects.filter(version=version).values_list("lines", flat=True).first()
    if lines is not None:
        return Reference(version.storage, tuple(manifests.from_lines(lines)), packed=True)
    digest = version.digest if version.digest_of == DigestOf.CONTENT else ""
    whole = InPlace(version.file.name, version.size, digest, version.path, version.mtime_ns, version.etag)
    return Reference(version.storage, (whole,), packed=False)


def config_for(storage: ExternalStorage) -> StoreConfig:
    """Raises StoreAway where nothing may or can be read from it."""
    if not storage.enabled:
        raise StoreAway("The storage is switched off.")
    try:
        return config_of(storage)
    except KeyMissing as error:
        raise StoreDenied(str(error)) from error


def opened(config: StoreConfig, member: InPlace) -> BinaryIO:
    """Seekable; of exactly the content that was listed. Raises what stores raise, also while reading."""
    return opened_plainly(config, member.listed) or store_for(config).open(member.key, expect=member.listed)


def content(config: StoreConfig, member: InPlace) -> bytes:
    """All of it: for what is small. Raises what stores raise, and Changed if it is not what was read before."""
    stream = opened_plainly(config, member.listed)
    if stream is None:
        found = store_for(config).read_at(member.key, 0, member.size, expect=member.listed)
    else:
        with stream:
            found = stream.read(member.size + 1)
            still(stream, member.listed)
    if len(found) != member.size:
        raise Changed("The object is shorter than it was when it was listed.")
    held_to(member, hashlib.sha256(found).hexdigest())
    return found


def head(config: StoreConfig, member: InPlace, length: int) -> bytes:
    """Its first bytes."""
    stream = opened_plainly(config, member.listed)
    if stream is None:
        return store_for(config).read_at(member.key, 0, min(length, member.size), expect=member.listed)
    with stream:
        return stream.read(length)


def blocks(config: StoreConfig, member: InPlace) -> Iterator[bytes]:
    """The last one only when all of it is proven to be what was listed, and what was read before."""
    read, last, total = 0, b"", hashlib.sha256()
    with closing(opened(config, member)) as stream:
        while block := stream.read(BLOCK):
            total.update(block)
            read += len(block)
            if last:
                yield last
            last = block
        if config.kind is Kind.LOCAL:
            still(stream, member.listed)
    if read != member.size:
        raise Changed("The object is not as long as it was when it was listed.")
    held_to(member, total.hexdigest())
    yield last


def digest_of(config: StoreConfig, member: InPlace) -> str:
    """SHA-256 in hex of what lies there now, which is as it was listed. Raises what stores raise."""
    total = hashlib.sha256()
    for block in blocks(config, replace(member, sha256="")):
        total.update(block)
    return total.hexdigest()


def held_to(member: InPlace, sha256: str) -> None:
    if member.sha256 and member.sha256 != sha256:
        raise Changed(ANOTHER)


def in_turn(config: StoreConfig, members: Sequence[InPlace]) -> Iterator[bytes]:
    """The content of small files, one after the other; from a service a few are asked for ahead."""
    if config.kind is Kind.LOCAL:
        yield from (content(config, member) for member in members)
        return
    yield from _ahead(config, members, length=None)


def heads(config: StoreConfig, members: Sequence[InPlace], length: int) -> Iterator[bytes]:
    """The first bytes of each; without length nothing is asked."""
    if not length:
        yield from (b"" for _ in members)
        return
    if config.kind is Kind.LOCAL:
        yield from (head(config, member, length) for member in members)
        return
    yield from _ahead(config, members, length=length)


def _ahead(config: StoreConfig, members: Sequence[InPlace], *, length: int | None) -> Iterator[bytes]:
    waiting = iter(members)
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def ask(member: InPlace) -> Future[bytes]:
            return pool.submit(content, config, member) if length is None else pool.submit(head, config, member, length)

        asked = [ask(member) for member in islice(waiting, AT_ONCE)]
        try:
            while asked:
                found = asked.pop(0).result()
                asked += [ask(member) for member in islice(waiting, 1)]
                yield found
        finally:
            for one in asked:
                one.cancel()


def still_there(reference: Reference) -> None:
    """A look at each file of a folder, and at the first one of a service: raises what stores raise."""
    config = config_for(reference.storage)
    looked_at = reference.members if config.kind is Kind.LOCAL else reference.members[:1]
    for member in looked_at:
        if config.kind is Kind.LOCAL:
            opened(config, member).close()
        else:
            found = store_for(config).stat(member.key)
            if (found.size, found.etag) != (member.size, member.listed.etag):
                raise Changed("The object is not what it was when it was listed.")


def read(version: FileVersion) -> None:
    """All of it that nobody has read yet, so that it has its digest. Raises what stores raise."""
    reference = reference_of(version)
    config = config_for(reference.storage)
    record(version, {m.name: digest_of(config, m) for m in reference.members if not m.sha256})


def record(version: FileVersion, read: Mapping[str, str]) -> None:
    """Keeps SHA-256 by member, of bytes that were read for the first time; all of them read, the version has its
    digest. What is kept already stays as it is."""
    with transaction.atomic():
        row = FileVersion.objects.select_for_update(of=("self",)).filter(pk=version.pk, reference=True).first()
        if row is None or row.digest_of != DigestOf.UNREAD:
            return
        kept = Manifest.objects.filter(version=row).first()
        row.digest, row.digest_of = _read_whole(read) if kept is None else _read_more(kept, read)
        row.save(update_fields=["digest", "digest_of"])
    version.digest, version.digest_of = row.digest, row.digest_of


def _read_whole(read: Mapping[str, str]) -> tuple[str, DigestOf]:
    found = next(iter(read.values()), "")
    return (found, DigestOf.CONTENT) if found else ("", DigestOf.UNREAD)


def _read_more(kept: Manifest, read: Mapping[str, str]) -> tuple[str, DigestOf]:
    members = [m if m.sha256 else replace(m, sha256=read.get(m.name, "")) for m in manifests.from_lines(kept.lines)]
    kept.lines = manifests.to_lines(members)
    kept.save(update_fields=["lines"])
    if all(member.sha256 for member in members):
        return manifests.digest(members), DigestOf.MANIFEST
    return "", DigestOf.UNREAD


def address_of(storage: ExternalStorage, key: str) -> str:
    """For people: an URL, of a folder's file its path."""
    return f"{storage.address.rstrip('/')}/{key}"
