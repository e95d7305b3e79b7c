"""What transfer and deletion mean together, case by case."""

import itertools

import pytest

from importer.core.states import SourceKind
from importer.core.transfer_rules import DeleteSource, Settled, Source, Transfer, TransferRefused, Wish, Zip, settle

FOLDER = Source(kind=SourceKind.FOLDER)
DROP = Source(kind=SourceKind.DROP_FOLDER)
UPLOAD = Source(kind=SourceKind.UPLOAD)
FAR = Source(kind=SourceKind.FOLDER, same_device=False)
BUCKET = Source(kind=SourceKind.STORAGE, local=False, same_device=False)
HOME_BUCKET = Source(kind=SourceKind.STORAGE, local=False, same_device=False, on_provider=True, is_home=True)
PROVIDER = Source(kind=SourceKind.STORAGE, on_provider=True, is_home=True)
EMPTIED = Source(kind=SourceKind.DROP_FOLDER, on_provider=True, emptied=True)
HOME = Source(kind=SourceKind.FOLDER, is_home=True)
OURS = Source(kind=SourceKind.FOLDER, ours=True)
AUTO, COPY, HARDLINK, SYMLINK, MOVE, REFERENCE = Transfer
NEVER, ON_SUCCESS = DeleteSource

ALLOWED = [
    # wish (transfer, delete, zip, de-identify), source, what is done, delete, why
    ((AUTO, NEVER, Zip.DEFAULT, False), FOLDER, COPY, NEVER, ""),
    ((AUTO, ON_SUCCESS, Zip.DEFAULT, False), FOLDER, COPY, ON_SUCCESS, ""),
    ((AUTO, NEVER, Zip.DEFAULT, False), BUCKET, COPY, NEVER, ""),
    ((AUTO, ON_SUCCESS, Zip.DEFAULT, False), BUCKET, COPY, ON_SUCCESS, ""),
    ((AUTO, NEVER, Zip.DEFAULT, False), HOME_BUCKET, REFERENCE, NEVER, ""),
    ((AUTO, NEVER, Zip.OFF, False), PROVIDER, REFERENCE, NEVER, ""),
    ((AUTO, NEVER, Zip.SAID, False), PROVIDER, COPY, NEVER, "zip: true"),
    ((AUTO, NEVER, Zip.DEFAULT, True), PROVIDER, COPY, NEVER, "de-identified"),
    ((AUTO, NEVER, Zip.DEFAULT, False), EMPTIED, COPY, NEVER, "drop folder"),
    ((AUTO, NEVER, Zip.DEFAULT, False), HOME, COPY, NEVER, ""),
    ((COPY, NEVER, Zip.SAID, True), PROVIDER, COPY, NEVER, ""),
    ((COPY, ON_SUCCESS, Zip.DEFAULT, False), DROP, COPY, ON_SUCCESS, ""),
    ((COPY, ON_SUCCESS, Zip.DEFAULT, False), UPLOAD, COPY, ON_SUCCESS, ""),
    ((HARDLINK, NEVER, Zip.OFF, False), FOLDER, HARDLINK, NEVER, ""),
    ((HARDLINK, ON_SUCCESS, Zip.OFF, False), FOLDER, HARDLINK, ON_SUCCESS, ""),
    ((HARDLINK, NEVER, Zip.OFF, False), PROVIDER, HARDLINK, NEVER, ""),
    ((MOVE, NEVER, Zip.OFF, False), FOLDER, MOVE, ON_SUCCESS, ""),
    ((MOVE, ON_SUCCESS, Zip.OFF, False), DROP, MOVE, ON_SUCCESS, ""),
    ((SYMLINK, NEVER, Zip.OFF, False), FOLDER, SYMLINK, NEVER, ""),
    ((SYMLINK, NEVER, Zip.OFF, False), FAR, SYMLINK, NEVER, ""),
    ((SYMLINK, NEVER, Zip.OFF, False), PROVIDER, SYMLINK, NEVER, ""),
    ((REFERENCE, NEVER, Zip.DEFAULT, False), FOLDER, REFERENCE, NEVER, ""),
    ((REFERENCE, NEVER, Zip.OFF, False), FAR, REFERENCE, NEVER, ""),
    ((REFERENCE, NEVER, Zip.DEFAULT, False), HOME_BUCKET, REFERENCE, NEVER, ""),
]

REFUSED = [
    # The source is the data: never deleted.
    ((AUTO, ON_SUCCESS, Zip.DEFAULT, False), PROVIDER, "only home"),
    ((REFERENCE, ON_SUCCESS, Zip.DEFAULT, False), FOLDER, "never deleted"),
    ((SYMLINK, ON_SUCCESS, Zip.OFF, False), FOLDER, "never deleted"),
    ((COPY, ON_SUCCESS, Zip.DEFAULT, False), PROVIDER, "nothing there is deleted"),
    ((COPY, ON_SUCCESS, Zip.DEFAULT, False), HOME, "nothing there is deleted"),
    ((HARDLINK, ON_SUCCESS, Zip.OFF, False), HOME, "nothing there is deleted"),
    ((AUTO, ON_SUCCESS, Zip.SAID, False), PROVIDER, "nothing there is deleted"),
    ((MOVE, NEVER, Zip.OFF, False), HOME, "nothing is moved away"),
    ((MOVE, NEVER, Zip.OFF, False), PROVIDER, "nothing is moved away"),
    # Bytes that change cannot stay where they are.
    ((REFERENCE, NEVER, Zip.DEFAULT, True), PROVIDER, "choose copy"),
    ((REFERENCE, NEVER, Zip.SAID, False), PROVIDER, "choose one"),
    ((HARDLINK, NEVER, Zip.OFF, True), FOLDER, "choose copy"),
    ((SYMLINK, NEVER, Zip.OFF, True), FOLDER, "choose copy"),
    ((MOVE, NEVER, Zip.OFF, True), FOLDER, "choose copy"),
    ((HARDLINK, NEVER, Zip.DEFAULT, False), FOLDER, "zip: false"),
    ((SYMLINK, NEVER, Zip.SAID, False), FOLDER, "zip: false"),
    ((MOVE, NEVER, Zip.DEFAULT, False), FOLDER, "zip: false"),
    # No silent copy.
    ((HARDLINK, NEVER, Zip.OFF, False), FAR, "one file system"),
    ((MOVE, NEVER, Zip.OFF, False), FAR, "one file system"),
    ((HARDLINK, NEVER, Zip.OFF, False), BUCKET, "copy from a bucket"),
    ((SYMLINK, NEVER, Zip.OFF, False), BUCKET, "copy from a bucket"),
    ((MOVE, NEVER, Zip.OFF, False), HOME_BUCKET, "copy from a bucket"),
    # A reference needs a place that stays.
    ((REFERENCE, NEVER, Zip.DEFAULT, False), BUCKET, "storage provider"),
    ((REFERENCE, NEVER, Zip.DEFAULT, False), DROP, "storage provider"),
    ((REFERENCE, NEVER, Zip.DEFAULT, False), UPLOAD, "uploaded"),
    ((SYMLINK, NEVER, Zip.OFF, False), DROP, "storage provider"),
    ((REFERENCE, NEVER, Zip.DEFAULT, False), EMPTIED, "deletes what was imported"),
    ((AUTO, NEVER, Zip.DEFAULT, False), OURS, "our own bytes"),
    ((COPY, NEVER, Zip.DEFAULT, False), OURS, "our own bytes"),
]


def wished(transfer, delete, packed, deidentify) -> Wish:
    return Wish(transfer=transfer, delete_source=delete, zip=packed, deidentify=deidentify)


@pytest.mark.parametrize(("wish", "source", "transfer", "delete", "why"), ALLOWED)
def test_what_makes_sense_is_settled(wish, source, transfer, delete, why):
    settled = settle(wished(*wish), source)
    assert (settled.transfer, settled.delete_source) == (transfer, delete)
    assert why in settled.why
    assert bool(why) == bool(settled.why)


@pytest.mark.parametrize(("wish", "source", "words"), REFUSED)
def test_what_makes_none_is_refused_with_a_sentence(wish, source, words):
    with pytest.raises(TransferRefused, match=words) as refused:
        settle(wished(*wish), source)
    assert str(refused.value).endswith(".")


def everything() -> list[tuple[Wish, Source]]:
    flags = list(itertools.product([True, False], repeat=6))
    sources = [
        Source(kind=kind, local=a, same_device=b, on_provider=c, is_home=d, emptied=e, ours=f)
        for kind in SourceKind
        for a, b, c, d, e, f in flags
    ]
    wishes = itertools.product(Transfer, DeleteSource, Zip, [True, False])
    return list(itertools.product([wished(*wish) for wish in wishes], sources))


def outcomes() -> list[tuple[Wish, Source, Settled]]:
    found = []
    for wish, source in everything():
        try:
            found.append((wish, source, settle(wish, source)))
        except TransferRefused:
            continue
    return found


def test_in_no_case_at_all_is_the_only_home_of_bytes_deleted():
    settled = outcomes()
    assert len(settled) > 100
    for wish, source, done in settled:
        assert done.transfer != Transfer.AUTO
        if done.delete_source == ON_SUCCESS:
            assert done.transfer not in {REFERENCE, SYMLINK}, (wish, source)
            assert not source.is_home, (wish, source)
            assert not source.on_provider, (wish, source)
            assert wish.delete_source == ON_SUCCESS or done.transfer == MOVE
        if done.transfer in {REFERENCE, SYMLINK}:
            assert {wish.deidentify, wish.zip == Zip.SAID, source.emptied, source.ours} == {False}, (wish, source)
