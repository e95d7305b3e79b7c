"""What is stored is what was stored: every difference is found, none is made up, and none stops the search."""

import pytest
from django.core.management import CommandError, call_command

from importer.pipeline.verify import State, verify
from importer.tests.pipeline.drive import imported, put, put_series

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stored(project, places, tmp_path):
    """A series, a paper and a conflict: their paths on disk."""
    put_series(tmp_path / "one", 2)
    put(tmp_path / "one" / "notes.txt", b"some notes")
    imported(project, tmp_path / "one")
    put(tmp_path / "two" / "notes.txt", b"other notes")
    put_series(tmp_path / "two", 2)
    imported(project, tmp_path / "two")
    return {
        "series": next(places.archive.rglob("*.dicom.zip")),
        "paper": next(places.archive.rglob("notes.txt")),
        "held": next(places.quarantine.rglob("notes.txt")),
    }


def wrong(**named):
    return {(check.place, str(check.state)) for check in verify(**named) if check.state is not State.OK}


def test_all_is_well_after_an_import(stored):
    assert sorted(check.place for check in verify()) == ["archive", "archive", "quarantine"]
    assert wrong() == set()


@pytest.mark.parametrize("which", ["series", "paper", "held"])
def test_what_is_gone_cut_or_changed_is_told(stored, places, which):
    path = stored[which]
    place = "quarantine" if which == "held" else "archive"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert wrong() == {(place, "changed")}
    path.unlink()
    assert wrong() == {(place, "missing")}
    path.mkdir()
    assert wrong() in ({(place, "unreadable")}, {(place, "changed")})
    path.rmdir()
    path.write_bytes(whole)
    assert wrong() == set()


def test_no_flipped_bit_escapes_and_none_stops_the_search(stored):
    """Whatever a broken archive makes the reader raise, and also where the members are what they were."""
    assert wrong() == set()
    path = stored["series"]
    whole = path.read_bytes()
    flips = range(0, len(whole), 29)
    for at in flips:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        assert wrong() == {("archive", "changed")}


def test_bytes_without_a_row_are_told(stored, places):
    put(places.archive / "lab" / "Brain" / "stray")
    put(places.quarantine / "stray")
    put(places.archive / ".incoming" / "unfinished")
    assert wrong() == {("archive", "no row"), ("quarantine", "no row")}


def test_a_sample_reads_some_and_looks_at_all(stored):
    path = stored["paper"]
    path.write_bytes(path.read_bytes().upper())
    assert wrong(percent=0) == set()
    assert wrong(percent=100) == {("archive", "changed")}
    path.unlink()
    assert wrong(percent=0) == {("archive", "missing")}


def test_the_command_says_so_and_exits_with_one(stored, capsys):
    with pytest.raises(SystemExit) as well:
        call_command("verify")
    stored["paper"].unlink()
    with pytest.raises(SystemExit) as ill:
        call_command("verify", "--sample", "50%")
    said = capsys.readouterr().out
    assert (well.value.code, ill.value.code) == (0, 1)
    assert "3 stored files: 3 ok" in said
    assert "missing\tarchive\tlab/Brain/" in said


@pytest.mark.parametrize(
    "options", [["--storage", "nowhere"], ["--sample", "some"], ["--sample", "101%"], ["--sample=-1%"]]
)
def test_what_makes_no_sense_is_refused(db, places, options):
    with pytest.raises(CommandError) as refused:
        call_command("verify", *options)
    assert refused.value.returncode == 2
