"""Pictures and headers of what waits in quarantine. Held bytes never change, so what was drawn once is kept beside
the pictures of stored files, under the conflict's own token; bytes are opened by a child process only."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from hierarchy import manifests
from hierarchy.decode.why import PASSING, NoPicture, Why
from hierarchy.decoder import ask
from hierarchy.kept import Kept
from hierarchy.pictures import DRAWN, LIMIT, HeaderRow, Slices, cut_at, header_rows, in_place
from hierarchy.references import Reference
from importer.core.states import PACKED_KINDS
from importer.models import Conflict
from storages.errors import PlaceError
from storages.places import quarantine


def held_slices(conflict: Conflict) -> Slices:
    """Every picture that there is, in order. Raises NoPicture."""
    said = json.loads(_kept(conflict, "order"))
    members = [(member, frames) for member, frames in said["slices"]]
    return Slices(members, said["approximate"], list(accumulate(frames for _, frames in members)))


def held_picture(conflict: Conflict, *, index: int, width: int) -> bytes:
    """PNG of a slice. Raises NoPicture."""
    return _kept(conflict, f"{index}-{width}")


def held_header(conflict: Conflict, *, index: int | None = None) -> list[HeaderRow]:
    """Of the instance that a slice lies in (None: of the middle one). Raises NoPicture."""
    try:
        found = held_slices(conflict)
        member, _ = found.at(found.middle if index is None else min(index, len(found) - 1))
    except NoPicture as without:
        if without.why is not Why.NO_PIXELS:
            raise
        member = ""
    with _opened(conflict, [member]) as stream:
        return header_rows(stream, member=member)


def _kept(conflict: Conflict, name: str) -> bytes:
    """Failures that last are kept too, or bytes that take long to fail would take it at every look."""
    store = Kept(Path(settings.PRATIQUE_HOME) / "cache" / "pictures", limit=LIMIT)
    folder = f"{conflict.token.hex[:2]}/{conflict.token.hex}-{DRAWN}"
    why = store.read(f"{folder}/{name}.none")
    if why is not None:
        raise NoPicture(Why(why.decode()))
    known = store.read(f"{folder}/{name}")
    return known if known is not None else _made(store, conflict, folder, name)


def _made(store: Kept, conflict: Conflict, folder: str, name: str) -> bytes:
    try:
        made = _order(conflict) if name == "order" else _drawn(conflict, name)
    except NoPicture as found:
        if found.why not in PASSING:
            store.write(f"{folder}/{name}.none", found.why.encode())
        raise
    store.write(f"{folder}/{name}", made)
    return made


def _order(conflict: Conflict) -> bytes:
    reference = noted(conflict)
    with _opened(conflict, None) as stream:
        return json.dumps(ask("order", stream, details={"cut": cut_at(reference)}).said).encode()


def _drawn(conflict: Conflict, name: str) -> bytes:
    index, width = (int(part) for part in name.split("-"))
    target = held_slices(conflict).at(index)
    with _opened(conflict, [target[0]]) as stream:
        answer = ask("pictures", stream, details={"targets": [target], "width": width})
    entry = answer.said["pictures"][0]
    if "why" in entry:
        raise NoPicture(Why(entry["why"]))
    return answer.body[: entry["length"]]


def noted(conflict: Conflict) -> Reference | None:
    """Where its bytes lie, if they wait at their source."""
    if conflict.storage is None:
        return None
    packed = conflict.placement.kind in PACKED_KINDS
    return Reference(conflict.storage, tuple(manifests.from_lines(conflict.manifest)), packed=packed)


def _opened(conflict: Conflict, members: Sequence[str] | None) -> AbstractContextManager[BinaryIO]:
    reference = noted(conflict)
    return in_place(reference, members) if reference is not None else _held(conflict)


@contextmanager
def _held(conflict: Conflict) -> Iterator[BinaryIO]:
    if conflict.purged_at is not None:
        raise NoPicture(Why.MISSING)
    try:
        stream = quarantine().open(conflict.path)
    except FileNotFoundError as error:
        raise NoPicture(Why.MISSING) from error
    except (OSError, PlaceError) as error:
        raise NoPicture(Why.AWAY) from error
    with stream:
        yield stream
