"""A fault of our own is found, told without a word of what a file says, and hides nothing."""

import logging

import pytest

from importer.models import Chunk, Event
from importer.pipeline import extract, landing, plan
from importer.tests.pipeline.drive import became, imported, leftovers, put_series, reasons, run, start, until, wrongs

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "SECRETNAME"


class Trouble(Exception):
    pass


def broken(*_args, **_named):
    raise Trouble(SECRET)


@pytest.fixture
def source(project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 12)
    put_series(tmp_path / "in" / "b", 12, series=2)
    return tmp_path / "in"


@pytest.fixture(autouse=True)
def nothing_said(caplog):
    """Neither log nor event may repeat what an error quotes."""
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text
    assert not Event.objects.filter(detail__contains=SECRET).exists()


def test_a_stage_that_breaks_ends_the_job_with_a_row_for_every_file(project, places, source, monkeypatch, caplog):
    monkeypatch.setattr(plan, "settle_all", broken)

    job = imported(project, source)

    assert (job.status, job.error) == ("failed", "Internal error: Trouble")
    assert set(reasons(job).values()) == {"cancelled: Cancelled"}
    assert job.cancelled == job.discovered == 24
    assert not Chunk.objects.filter(status="open").exists()
    assert "test_faults.py" in caplog.text


def test_a_stage_that_breaks_half_way_through_a_scan_accounts_for_the_names_found(project, places, source, monkeypatch):
    job = start(project, source)
    until(job, "extracting")
    type(job).objects.filter(pk=job.pk).update(status="scanning", scan_done=False)
    from importer.pipeline import advance

    monkeypatch.setattr(advance, "scan", broken)

    run(job)

    assert (job.status, job.cancelled, job.discovered) == ("failed", 24, 24)


def test_a_file_on_which_our_reading_breaks_fails_alone(project, places, source, monkeypatch, caplog):
    original = extract.read

    def read(opener, seq, entry, **named):
        return broken() if entry.path == "a/0007.dcm" else original(opener, seq, entry, **named)

    monkeypatch.setattr(extract, "read", read)

    job = imported(project, source)

    assert job.status == "completed"
    assert {path for path, said in reasons(job).items() if said == "failed: Poison"} == {"a/0007.dcm"}
    assert list(became(job).values()).count("imported") == 23
    assert "Trouble" in caplog.text


def test_a_file_on_which_our_landing_breaks_fails_alone_and_leaves_no_bytes(project, places, source, monkeypatch):
    original = landing.make

    def make(arrived):
        return broken() if any(p.acquisition_label == "2 - t1" for p, _ in arrived) else original(arrived)

    monkeypatch.setattr(landing, "make", make)

    job = imported(project, source)

    assert {path[0]: said for path, said in reasons(job).items()} == {"a": "imported", "b": "failed: Poison"}
    assert wrongs() == []
    assert leftovers(places) == []


def test_a_job_whose_sums_do_not_hold_fails_and_says_so(project, places, source):
    job = start(project, source)
    until(job, "finishing")
    type(job).objects.filter(pk=job.pk).update(discovered=25)

    from importer.pipeline.advance import advance
    from importer.tests.pipeline.drive import worker

    for _ in range(5):
        advance(job.pk, worker=worker())

    job.refresh_from_db()
    assert job.status == "failed"
    assert "25 files were discovered" in job.error


def test_what_cannot_even_be_given_up_ends_the_job(project, places, source, monkeypatch):
    """Else a worker would try it for ever."""
    monkeypatch.setattr(extract, "_write", broken)

    job = start(project, source)
    until(job, "failed", steps=400)

    assert job.error == "Internal error: Trouble"
    assert (job.cancelled, job.discovered) == (24, 24)
