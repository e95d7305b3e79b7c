r"""What every store can do, and the values that go in and out.

Keys are relative to the store's prefix, in their printable form (`storages/stores/keys.py`): text with `/`, where a
byte that is no UTF-8 and NUL stand as `\xNN`. The form is exact both ways and the same as that of source paths.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Protocol

from storages.secrets import NO_SECRET, Secret


class Kind(StrEnum):
    """As the scheme of an URL: local folder, S3, Azure Blob, Google Cloud Storage."""

    LOCAL = "fs"
    S3 = "s3"
    AZURE = "az"
    GOOGLE = "gs"


class ListedKind(StrEnum):
    """What a listed name is. All but FILE are nothing to read, and tell so that no name vanishes unseen."""

    FILE = "file"
    # A zero-byte object whose key ends in `/`: what consoles make for an empty folder.
    PLACEHOLDER = "placeholder"
    # Only in local folders; the last two are folders, their keys end in `/`.
    SYMLINK = "symlink"
    SPECIAL = "special"
    UNREADABLE = "unreadable"
    TOO_DEEP = "too_deep"


@dataclass(frozen=True, slots=True)
class Listed:
    """One object as a listing or a stat has it. Bytes; nanoseconds since 1970.

    `etag` is without quotes; of a local file it is made of time and size. `version` is the service's own mark of one
    content (Google's generation, a version id), empty where a listing does not tell it.
    """

    key: str
    size: int
    mtime_ns: int | None
    etag: str
    version: str = ""
    kind: ListedKind = ListedKind.FILE


@dataclass(frozen=True, slots=True)
class Level:
    """A page of one folder, for browsing. `folders` are keys that end in `/`; `following` is given back as `after` for
    the next page, and empty on the last."""

    folders: tuple[str, ...]
    objects: tuple[Listed, ...]
    following: str = ""


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Which store, and how to get in.

    `bucket` is the bucket, the container or the folder's path. `prefix` is a folder inside it: `a/b` has what lies
    under `a/b/`. `account` is Azure's. With `from_machine` the machine's own identity is used and no credentials.
    `trusted` is only for endpoints that the operator wrote into the environment: their address is not checked.
    """

    kind: Kind
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    account: str = ""
    credentials: Secret = NO_SECRET
    from_machine: bool = False
    trusted: bool = False


class Store(Protocol):
    """All raise StoreAway or StoreDenied; safe to use from several threads."""

    @property
    def kind(self) -> Kind: ...

    def identity(self) -> str:
        """What it is, whatever it is called: file system and inode of a folder, service and bucket of the others.

        Another identity under the same configuration is another disk or bucket, never a deletion.
        """

    def list(self, prefix: str = "", after: str = "") -> Iterator[Listed]:
        """Every object whose key begins with `prefix` and stands behind `after`, by the client's own pages.

        In strict order, none twice: that of the keys' bytes, on Azure of their UTF-16. Raises BadListing.
        """

    def folders(self, path: str = "", after: str = "", limit: int = 1000) -> Level:
        """One page of one level; `path` is empty or ends in `/`."""

    def stat(self, key: str) -> Listed:
        """Raises Missing."""

    def read_at(self, key: str, offset: int, length: int, *, expect: Listed | None = None) -> bytes:
        """As many bytes as there are from there, at most `length`. Raises Missing, or Changed if it is not `expect`."""

    def open(self, key: str, *, expect: Listed | None = None) -> BinaryIO:
        """For reading, seekable, with bounded memory; one content from first to last byte whatever happens meanwhile.

        Raises Missing or Changed, also while reading.
        """

    def put(self, key: str, stream: BinaryIO, *, size: int, sha256: str = "") -> Listed:
        """Writes `size` bytes from the stream; what lies there afterwards is proven to be these.

        Raises Taken, BadKey, StoreFull, or Changed if the stream is not of that size and SHA-256 (hexadecimal).
        """

    def copy_from(self, other: "Store", key: str, to: str, *, expect: Listed | None = None) -> Listed:
        """By the service itself where both are one service, else through here. Raises as `open` and `put`."""

    def delete(self, keys: Iterable[str]) -> None:
        """In batches. What is not there is already deleted."""

    def abort_leftovers(self, older_than: datetime) -> int:
        """Ends uploads below the prefix that were begun before then and never finished. How many."""
