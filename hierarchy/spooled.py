"""References for who decodes pictures: a process of its own that reads an open file and nothing else.

Of a series only what is asked for is fetched: a few instances, or the heads of all.
"""

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO

from hierarchy.decode.why import NoPicture, Why
from hierarchy.manifests import InPlace
from hierarchy.natural import natural
from hierarchy.references import Reference, blocks, config_for, heads, opened
from storages.stores import Changed, Kind, Missing, StoreConfig, StoreError

# Of an instance: enough for most headers, and for the place of its slice in nearly all.
HEAD = 16 * 1024
# Of more instances no header is looked at (`hierarchy.decode.order.MAX_READ`).
MANY = 4000
# Bytes that are fetched for one look.
MOST = 512 * 1024 * 1024


@contextmanager
def whole(reference: Reference) -> Iterator[BinaryIO]:
    """A file that is no archive of ours. Raises NoPicture."""
    with _explained():
        config, member = config_for(reference.storage), reference.members[0]
        if config.kind is not Kind.LOCAL and member.size > MOST:
            raise NoPicture(Why.TOO_LARGE)
        with closing(opened(config, member)) as stream:
            yield stream


@contextmanager
def some(reference: Reference, names: Sequence[str]) -> Iterator[BinaryIO]:
    """An archive of these members alone, without names of its first. Raises NoPicture."""
    with _explained():
        config = config_for(reference.storage)
    members = reference.named(dict.fromkeys(names)) if any(names) else _first(reference)
    if sum(member.size for member in members) > MOST:
        raise NoPicture(Why.TOO_LARGE)
    with tempfile.TemporaryFile() as spool:
        with _explained(), zipfile.ZipFile(spool, "w", zipfile.ZIP_STORED) as target:
            for member in members:
                _copy(config, member, target)
        yield _rewound(spool)


@contextmanager
def beginnings(reference: Reference) -> Iterator[BinaryIO]:
    """An archive of the first bytes of every member. Raises NoPicture."""
    with tempfile.TemporaryFile() as spool:
        with _explained(), zipfile.ZipFile(spool, "w", zipfile.ZIP_STORED) as target:
            config = config_for(reference.storage)
            found = heads(config, reference.members, HEAD if len(reference.members) <= MANY else 0)
            for member, head in zip(reference.members, found, strict=True):
                target.writestr(zipfile.ZipInfo(member.name), head)
        yield _rewound(spool)


def _first(reference: Reference) -> Sequence[InPlace]:
    return sorted(reference.members, key=lambda member: natural(member.name))[:1]


def _copy(config: StoreConfig, member: InPlace, target: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo(member.name)
    info.file_size = member.size
    with target.open(info, "w") as stream:
        for block in blocks(config, member):
            stream.write(block)


def _rewound(spool: BinaryIO) -> BinaryIO:
    spool.flush()
    spool.seek(0)
    return spool


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Missing as error:
        raise NoPicture(Why.MISSING) from error
    except Changed as error:
        raise NoPicture(Why.OTHER) from error
    except StoreError as error:
        raise NoPicture(Why.AWAY) from error
