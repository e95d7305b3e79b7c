"""Killed between a decision and its effect, at each step; the quarantine away; two at once."""

import os
import shutil
import signal
import threading

import pytest
from django.db import connection, connections
from django.utils import timezone

from hierarchy.errors import Refused
from hierarchy.models import File, FileVersion
from importer.core.states import ConflictType as T
from importer.models import Conflict, Decision, Resolution
from importer.pipeline import effects
from importer.pipeline.leases import recover
from importer.pipeline.resolving import resolve
from importer.review import decide
from importer.tests.pipeline.drive import assert_conserved, wrongs
from importer.tests.pipeline.drive import worker as make_worker
from importer.tests.review.cases import MAKE, decided, undone, verdict, waiting
from storages.places import LocalPlace

pytestmark = pytest.mark.django_db(transaction=True)


def die(*_args, **_fields):
    os.kill(os.getpid(), signal.SIGKILL)


def after(function):
    def both(*args, **fields):
        function(*args, **fields)
        die()

    return both


def killed_while(work, target, name, replacement):
    """Runs `work` in a child in which `target.name` is replaced; the child must die of SIGKILL."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        setattr(target, name, replacement)
        try:
            work()
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the child was not killed: {status}"
    recover(timezone.now())


STEPS = {
    "before the bytes have names": (LocalPlace, "publish", die),
    "between the bytes and the rows": (LocalPlace, "publish", after(LocalPlace.publish)),
    "inside the transaction": (effects, "tell", after(effects.tell)),
    "after the commit": (effects, "_discard", die),
}


@pytest.mark.parametrize("step", sorted(STEPS))
@pytest.mark.parametrize("kind", [T.FILE_NAME, T.LABEL_UID])
def test_a_decision_whose_worker_is_killed_is_carried_out_once(kind, step, project, places, tmp_path):
    MAKE[kind](project, tmp_path)
    held = waiting().count()
    made = decide(waiting(), verdict("keep-all"), actor=None, now=timezone.now(), enqueue=False)
    target, name, replacement = STEPS[step]
    killed_while(lambda: resolve(made.pk, worker=make_worker()), target, name, replacement)
    resolve(made.pk, worker=make_worker())
    made.refresh_from_db()
    assert (made.status, made.applied, made.refused) == ("done", held, 0)
    assert waiting().count() == 0
    assert FileVersion.objects.filter(pk__in=Decision.objects.values("token")).count() == held
    assert wrongs() == []
    for row in Conflict.objects.select_related("job"):
        assert_conserved(row.job)


def test_an_undo_that_is_killed_has_happened_or_not(project, places, tmp_path):
    MAKE[T.FILE_NAME](project, tmp_path)
    decided(waiting(), "update")
    decision = Decision.objects.get()
    killed_while(lambda: undone(decision), LocalPlace, "delete", die)
    # The rows are committed before the bytes go: what is left over is found, and no row misses its bytes.
    assert waiting().count() == 1
    assert File.objects.get().version == 1
    assert {state for state, _ in wrongs()} <= {"no row"}


def test_the_quarantine_being_away_pauses_it_with_the_reason_and_loses_nothing(project, places, tmp_path):
    MAKE[T.FILE_NAME](project, tmp_path)
    made = decide(waiting(), verdict("update"), actor=None, now=timezone.now(), enqueue=False)
    away = places.archive.with_name("away")
    shutil.move(places.archive, away)
    places.archive.write_text("in the way")
    resolve(made.pk, worker=make_worker())
    made.refresh_from_db()
    assert made.status == "paused"
    assert made.reason
    assert waiting().count() == 1
    places.archive.unlink()
    shutil.move(away, places.archive)
    Resolution.objects.update(next_attempt_at=timezone.now())
    resolve(made.pk, worker=make_worker())
    made.refresh_from_db()
    assert (made.status, made.applied) == ("done", 1)
    assert wrongs() == []


def test_held_bytes_that_are_gone_are_an_error_on_the_row(project, places, tmp_path):
    MAKE[T.FILE_NAME](project, tmp_path)
    (places.quarantine / Conflict.objects.get().path).unlink()
    resolution = decided(waiting(), "update")
    assert resolution.refused == 1
    assert "not in quarantine any more" in Conflict.objects.get().action_error


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer: nothing is at once")
def test_two_people_deciding_at_the_same_moment_are_one_decision(project, places, tmp_path):
    MAKE[T.FILE_NAME](project, tmp_path)
    results = []
    gate = threading.Barrier(2)

    def person(action):
        gate.wait()
        try:
            results.append(decide(waiting(), verdict(action), actor=None, now=timezone.now(), enqueue=False))
        except Refused as error:
            results.append(error)
        finally:
            connections.close_all()

    people = [threading.Thread(target=person, args=(action,)) for action in ("update", "skip")]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert sorted(isinstance(one, Refused) for one in results) == [False, True]
    assert Decision.objects.count() == 1
