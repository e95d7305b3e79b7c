"""A stored archive and an incoming one become one: the union, deterministic like every other archive."""

import hashlib
import zipfile
from contextlib import ExitStack

from hierarchy.models import FileVersion
from importer.core.manifest import Member, from_lines
from importer.models import Conflict
from importer.pipeline.packing import Packed, member_info
from storages.errors import explained
from storages.places import archive, quarantine


class Damaged(Exception):
    """The stored or the held archive is not what its manifest says: nothing is built on it."""


def merge(packed: Packed, conflict: Conflict, base: FileVersion, *, incoming_wins: bool) -> None:
    """Where both have an instance, the stored one stays, or with `incoming_wins` the incoming one replaces it.

    Raises Damaged, or FileNotFoundError when the held bytes are gone.
    """
    stored = {member.name: member for member in from_lines(base.manifest.lines)}
    incoming = {member.name: member for member in from_lines(conflict.manifest)}
    both = {**stored, **incoming} if incoming_wins else {**incoming, **stored}
    packed.staged = packed.place.stage(packed.path)
    packed.members = sorted(both.values())
    try:
        with ExitStack() as stack:
            old = stack.enter_context(zipfile.ZipFile(stack.enter_context(archive().open(base.path))))
            new = stack.enter_context(zipfile.ZipFile(stack.enter_context(quarantine().open(conflict.path))))
            target = stack.enter_context(zipfile.ZipFile(packed.staged.stream, "w", zipfile.ZIP_STORED))
            for member in packed.members:
                _copy(new if incoming.get(member.name) == member else old, target, member)
    except BaseException as error:
        packed.place.discard(packed.staged)
        packed.staged = None
        if isinstance(error, zipfile.BadZipFile | KeyError):
            raise Damaged("The stored or the held archive is damaged: run `verify`.") from error
        raise


def _copy(source: zipfile.ZipFile, target: zipfile.ZipFile, member: Member) -> None:
    """Instances are read whole: they are at most as large as what was read whole when they came in."""
    content = source.read(member.name)
    if hashlib.sha256(content).hexdigest() != member.sha256:
        raise Damaged("The stored or the held archive is not what its manifest says: run `verify`.")
    with explained("place"):
        target.writestr(member_info(member.name), content)
