"""What is spoiled among our own bytes is put back where a proven copy is left, and nothing is touched where none is."""

import shutil

import pytest
from django.core.management import call_command
from django.utils import timezone

from hierarchy.models import FileVersion
from importer.core.methods import Action
from importer.models import Check, Conflict, Event
from importer.pipeline.repair import CannotRepair, repair, spoiled
from importer.pipeline.roots import roots
from importer.pipeline.verify import State, verify
from importer.tests.pipeline.drive import bytes_under, imported, put, put_series
from importer.tests.review.cases import decided

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stored(project, places, tmp_path):
    """A series of four, a paper, and a second paper that waits: their paths on disk."""
    put_series(tmp_path / "one", 4)
    put(tmp_path / "one" / "notes.txt", b"some notes")
    imported(project, tmp_path / "one")
    put(tmp_path / "two" / "notes.txt", b"other notes")
    put_series(tmp_path / "two", 4)
    imported(project, tmp_path / "two")
    assert wrong() == {}
    return {
        "series": next(places.archive.rglob("*.dicom.zip")),
        "paper": next(places.archive.rglob("notes.txt")),
        "held": next(places.quarantine.rglob("notes.txt")),
    }


def wrong():
    return {one.path.rpartition("/")[2]: str(one.state) for one in verify() if one.state is not State.OK}


def flip(path, at=None):
    whole = path.read_bytes()
    at = len(whole) // 2 if at is None else at
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])


def repaired():
    """In words, one for each that is spoiled."""
    said = []
    for pk in spoiled([root.pk for root in roots()]):
        try:
            said.append(repair(pk, who="user anna@example.org", now=timezone.now()))
        except CannotRepair as error:
            said.append(f"not: {error}")
    return said


@pytest.mark.parametrize("spoil", [flip, lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("which", ["series", "paper", "held"])
def test_from_its_source_byte_for_byte(stored, places, which, spoil):
    before = bytes_under(places.archive), bytes_under(places.quarantine)
    spoil(stored[which])
    assert list(wrong()) == [stored[which].name]

    (words,) = repaired()

    assert "the source of import" in words
    assert (bytes_under(places.archive), bytes_under(places.quarantine)) == before
    assert wrong() == {}
    event = Event.objects.get(what="repaired")
    assert event.who == "user anna@example.org"
    assert stored[which].name in event.detail
    assert words in event.detail


def test_members_that_are_right_are_taken_from_the_spoiled_archive_and_others_from_the_source(stored, tmp_path):
    flip(stored["series"])
    for path in sorted((tmp_path / "one").glob("*.dcm"))[:1]:
        path.unlink()
    assert wrong() == {stored["series"].name: "changed"}
    (words,) = repaired()
    assert words.startswith("itself and the source of import")
    assert wrong() == {}


def test_bytes_between_the_members_are_put_right_from_the_members_alone(stored, places, tmp_path):
    before = bytes_under(places.archive)
    flip(stored["series"], at=11)
    shutil.rmtree(tmp_path / "one")
    shutil.rmtree(tmp_path / "two")
    assert wrong() == {stored["series"].name: "changed"}
    assert repaired() == ["itself"]
    assert bytes_under(places.archive) == before


def test_from_quarantine_where_a_decision_left_the_same_bytes(project, places, tmp_path, stored):
    """Stored by a decision, its bytes are held for as long as it can be taken back."""
    decided(Conflict.objects.all(), Action.REPLACE)
    newest = FileVersion.objects.get(file__name="notes.txt", number=2)
    path = places.archive / newest.path
    # Not the same file under two names, as it is on one disk: that would be spoiled twice.
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    shutil.rmtree(tmp_path / "two")
    flip(path)
    assert wrong() == {"notes.txt": "changed"}
    assert repaired() == ["quarantine"]
    assert path.read_bytes() == b"other notes"


def test_where_no_good_copy_is_left_nothing_is_touched(stored, places, tmp_path):
    flip(stored["paper"])
    flip(stored["series"])
    for name in ("one", "two"):
        shutil.rmtree(tmp_path / name)
    before = bytes_under(places.archive)
    assert len(wrong()) == 2
    assert sorted(repaired()) == [
        "not: No good copy is left in quarantine, in another version or at the source: take it from a backup.",
        "not: No good copy of 1 of its 4 members is left anywhere: take it from a backup.",
    ]
    assert bytes_under(places.archive) == before
    assert list((places.archive / ".incoming").iterdir()) == []
    assert not Event.objects.filter(what="repaired").exists()


def test_a_source_that_changed_since_is_no_good_copy(stored, tmp_path):
    flip(stored["paper"])
    put(tmp_path / "one" / "notes.txt", b"some Notes")
    assert wrong() == {"notes.txt": "changed"}
    (words,) = repaired()
    assert words.startswith("not: No good copy")


def test_while_the_place_is_away_nothing_is_repaired(stored, places):
    flip(stored["paper"])
    wrong()
    places.archive.rename(places.archive.with_name("aside"))
    (words,) = repaired()
    assert words.startswith("not: ")
    assert not places.archive.exists() or bytes_under(places.archive) == {}


def test_what_came_back_by_itself_is_not_repaired(stored):
    whole = stored["paper"].read_bytes()
    flip(stored["paper"])
    wrong()
    stored["paper"].write_bytes(whole)
    assert repaired() == ["not: It is as it was stored: there is nothing to repair."]
    assert set(Check.objects.values_list("state", flat=True)) == {"ok"}


def test_the_command_repairs_says_from_where_and_exits_with_zero(stored, capsys):
    flip(stored["series"])
    with pytest.raises(SystemExit) as done:
        call_command("verify", "--repair")
    said = capsys.readouterr().out
    assert done.value.code == 0
    assert "changed\tarchive\t" in said
    assert "repaired\tfrom itself and the source of import" in said
    with pytest.raises(SystemExit) as well:
        call_command("verify")
    assert well.value.code == 0


def test_our_own_places_that_are_away_are_told_so_and_come_back(stored, places, capsys):
    aside = places.archive.with_name("aside")
    places.archive.rename(aside)
    places.archive.mkdir()
    with pytest.raises(SystemExit) as away:
        call_command("verify")
    said = capsys.readouterr().out
    assert away.value.code == 1
    assert "away\tarchive\tThe archive is not there, or not the one that was used before" in said
    assert "3 stored files: 2 away, 1 ok" in said
    # Another installation's disk in its place.
    put(places.archive / ".pratique-place", b"0" * 32)
    with pytest.raises(SystemExit):
        call_command("verify")
    assert "3 stored files: 2 away, 1 ok" in capsys.readouterr().out
    shutil.rmtree(places.archive)
    aside.rename(places.archive)
    assert wrong() == {}
    assert FileVersion.objects.count() == 2
