"""An unmounted disk is away, and never filled under its mount point."""

import threading
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from storages.errors import PlaceAway
from storages.marks import check_mark, check_ours
from storages.models import KnownPlace, Ours
from storages.object_places import ObjectPlace
from storages.place_contract import MARK
from storages.places import LocalPlace

pytestmark = pytest.mark.django_db


@pytest.fixture
def here(tmp_path):
    return LocalPlace(tmp_path / "disk" / "archive")


def check(here):
    check_mark(Ours.ARCHIVE, here, now=timezone.now())


def test_a_place_is_marked_at_its_first_use_and_known_from_then_on(here):
    check(here)
    mark = (here.root / MARK).read_text().strip()
    assert KnownPlace.objects.get().mark == mark
    check(here)
    assert here.mark() == mark
    assert list(here.walk()) == []
    assert list(here.leftovers()) == []


def test_an_unmounted_disk_is_away_and_nothing_is_made_in_its_stead(here):
    check(here)
    here.root.parent.rename(here.root.parent.with_name("unmounted"))
    with pytest.raises(PlaceAway, match="mounted"):
        check(here)
    assert not here.root.exists()
    here.root.mkdir(parents=True)
    with pytest.raises(PlaceAway, match="mounted"):
        check(here)
    assert list(here.root.iterdir()) == []
    here.root.rmdir()
    here.root.parent.rmdir()
    here.root.parent.with_name("unmounted").rename(here.root.parent)
    check(here)


def test_another_disk_in_its_place_is_away(here, tmp_path):
    check(here)
    other = LocalPlace(tmp_path / "other")
    other.set_mark("another")
    with pytest.raises(PlaceAway):
        check(other)
    assert other.mark() == "another"


def test_a_place_that_was_moved_as_a_whole_is_known_again(here, tmp_path):
    check(here)
    here.root.rename(tmp_path / "moved")
    check(LocalPlace(tmp_path / "moved"))


def test_a_place_that_was_full_before_there_were_marks_is_marked(here):
    one = here.stage("a")
    one.stream.write(b"x")
    here.publish([one])
    check(here)
    assert [name for name, _ in here.walk()] == ["a"]


def test_a_mark_that_came_with_the_disk_is_taken_over(here):
    here.set_mark("known elsewhere")
    check(here)
    assert KnownPlace.objects.get().mark == "known elsewhere"


def test_both_places_of_ours_are_asked(places):
    check_ours(now=timezone.now())
    assert {row.name for row in KnownPlace.objects.all()} == {"archive", "quarantine"}
    (places.quarantine / MARK).unlink()
    with pytest.raises(PlaceAway, match="quarantine is not there"):
        check_ours(now=timezone.now())


def test_of_many_first_users_all_agree(tmp_path):
    here, marks, start = LocalPlace(tmp_path / "new"), [], threading.Barrier(8)

    def run(number):
        start.wait()
        marks.append(here.set_mark(f"mark {number}"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(marks)) == 1
    assert list(here.leftovers()) == []


@pytest.mark.service
def test_a_bucket_is_marked_too_and_an_empty_one_is_not_it(s3_spot, tmp_path):
    here = ObjectPlace(replace(s3_spot.config, prefix="archive", trusted=True), staging=tmp_path)
    check(here)
    check(here)
    with pytest.raises(PlaceAway):
        check(replace(here, config=replace(here.config, prefix="typing-mistake")))


def test_the_database_takes_one_mark_a_place_and_none_that_is_empty():
    now = timezone.now()
    KnownPlace.objects.create(name="archive", mark="a", known_since=now)
    for fields in ({"name": "archive", "mark": "b"}, {"name": "quarantine", "mark": ""}, {"name": "x", "mark": "b"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            KnownPlace.objects.create(known_since=now, **fields)
    connection.check_constraints()
    assert str(KnownPlace.objects.get()) == "archive"
