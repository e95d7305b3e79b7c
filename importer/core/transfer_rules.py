"""Where the bytes of an import end up, and whether its sources may be removed: settled before anything runs.

A table in plain Python. What is refused is refused with a sentence, at configuration time; nothing is found out later
about somebody's only copy.
"""

from dataclasses import dataclass
from enum import StrEnum

from importer.core.states import SourceKind


class Transfer(StrEnum):
    """AUTO is a reference where the conditions for one hold, and a copy elsewhere."""

    AUTO = "auto"
    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    MOVE = "move"
    REFERENCE = "reference"


class DeleteSource(StrEnum):
    NEVER = "never"
    ON_SUCCESS = "on_success"


class Removal(StrEnum):
    """What became of a source that was to be removed after a proven import."""

    REMOVED = "removed"
    KEPT = "kept"


class Zip(StrEnum):
    """DEFAULT packs series unless there is a reason not to; SAID is a rule's own `zip: true`, OFF its `zip: false`."""

    DEFAULT = "default"
    SAID = "said"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    transfer: Transfer = Transfer.AUTO
    delete_source: DeleteSource = DeleteSource.NEVER
    zip: Zip = Zip.DEFAULT
    deidentify: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is known about a source. `local`: a folder of this machine; `same_device`: as our archive.

    `on_provider`: a place that may be the only home of bytes. `is_home`: it is one already, of this or of another
    import. `emptied`: it lies in a drop folder that deletes what was imported. `ours`: inside archive or quarantine.
    """

    kind: SourceKind
    local: bool = True
    same_device: bool = True
    on_provider: bool = False
    is_home: bool = False
    emptied: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """`why`: in AUTO, why a reference was not possible where one could be expected; for the report."""

    transfer: Transfer
    delete_source: DeleteSource
    why: str = ""


class TransferRefused(Exception):
    """The wish makes no sense; the text says why and what to choose instead."""


STAYS = frozenset({Transfer.REFERENCE, Transfer.SYMLINK})
LINKS = frozenset({Transfer.HARDLINK, Transfer.SYMLINK, Transfer.MOVE})
ON_ONE_DEVICE = frozenset({Transfer.HARDLINK, Transfer.MOVE})
NAMES = {
    Transfer.HARDLINK: "A hard link",
    Transfer.SYMLINK: "A symbolic link",
    Transfer.MOVE: "Moving",
    Transfer.REFERENCE: "A reference",
}


def settle(wish: Wish, source: Source) -> Settled:
    """What is done. Raises TransferRefused."""
    if source.ours:
        raise TransferRefused("The source lies among our own bytes: choose a folder outside archive and quarantine.")
    transfer, why = (wish.transfer, "") if wish.transfer != Transfer.AUTO else _by_itself(wish, source)
    if transfer in LINKS:
        _check_link(transfer, wish, source)
    if transfer in STAYS:
        _check_stays(transfer, wish, source)
    return Settled(transfer, _deleted(transfer, wish, source), why)


def _by_itself(wish: Wish, source: Source) -> tuple[Transfer, str]:
    if not source.on_provider:
        return Transfer.COPY, ""
    if wish.deidentify:
        return Transfer.COPY, "Copied: what is de-identified is not what lies at the source."
    if wish.zip == Zip.SAID:
        return Transfer.COPY, "Copied: the rules pack these files (zip: true)."
    if source.emptied:
        return Transfer.COPY, "Copied: the drop folder around it deletes what was imported."
    return Transfer.REFERENCE, ""


def _check_link(transfer: Transfer, wish: Wish, source: Source) -> None:
    name = NAMES[transfer]
    if not source.local:
        raise TransferRefused(f"{name} needs a folder of this machine: copy from a bucket.")
    if wish.deidentify:
        raise TransferRefused(f"{name} keeps the bytes as they are, and de-identifying changes them: choose copy.")
    if wish.zip != Zip.OFF:
        raise TransferRefused(f"{name} is for files that stay as they are: write zip: false in the rules, or copy.")
    if transfer in ON_ONE_DEVICE and not source.same_device:
        raise TransferRefused(f"{name} needs source and archive on one file system: choose copy.")
    if transfer == Transfer.MOVE and (source.is_home or source.on_provider):
        raise TransferRefused(
            "Files here may be the only home of what was imported by reference: nothing is moved away."
        )


def _check_stays(transfer: Transfer, wish: Wish, source: Source) -> None:
    name = NAMES[transfer]
    if wish.deidentify:
        raise TransferRefused(f"{name} leaves the bytes as they are, and de-identifying changes them: choose copy.")
    if wish.zip == Zip.SAID:
        raise TransferRefused(f"{name} leaves files where they lie, and the rules pack them (zip: true): choose one.")
    if source.emptied:
        raise TransferRefused(f"{name} needs files that stay: the drop folder around them deletes what was imported.")
    if source.kind == SourceKind.UPLOAD:
        raise TransferRefused(f"{name} needs a place that stays; what is uploaded has none: choose copy.")
    if not source.on_provider and source.kind != SourceKind.FOLDER:
        raise TransferRefused(
            f"{name} needs a place that may be the only home of the bytes: make a storage provider of it, or copy."
        )


def _deleted(transfer: Transfer, wish: Wish, source: Source) -> DeleteSource:
    if transfer == Transfer.MOVE:
        # Gone by definition, whatever was said.
        return DeleteSource.ON_SUCCESS
    if wish.delete_source == DeleteSource.NEVER:
        return DeleteSource.NEVER
    if transfer in STAYS:
        raise TransferRefused(
            f"{NAMES[transfer]} makes the source the only home of its bytes: it is never deleted. Choose copy to "
            "delete it after a proven import."
        )
    if source.is_home or source.on_provider:
        raise TransferRefused(
            "Files of a storage provider may be the only home of what was imported by reference: nothing there is "
            "deleted."
        )
    return DeleteSource.ON_SUCCESS
