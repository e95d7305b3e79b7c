"""Values of tags reach the database and the reports, and nothing else."""

import logging

import pytest
from django.utils import timezone

from importer import tasks
from importer.models import Event, ImportJob
from importer.pipeline.worker import Worker, this_owner
from importer.services import rerun_import
from importer.tests.pipeline.drive import imported, instance, put, run, start

pytestmark = pytest.mark.django_db(transaction=True)
TAGS = ["PatientID", "PatientName", "StudyDescription", "SeriesDescription", "OperatorsName", "AccessionNumber",
        "PatientBirthDate", "ProtocolName", "PatientAge"]  # fmt: skip


def secretive(number, *, series=1, cut=0, **changes):
    said = {tag: f"SECRET{tag}"[:16] for tag in TAGS} | changes
    data = instance(number, series=series, study=series, patient=said.pop("PatientID"), **said)
    return data[: len(data) - cut]


def test_no_log_no_event_and_no_error_repeats_a_tag(project, places, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "in"
    put(folder / "1.dcm", secretive(1))
    put(folder / "2.dcm", secretive(2, cut=20))
    put(folder / "3.dcm", secretive(3, StudyDate="SECRETDA", StudyTime="SECRET"))
    put(folder / "4.dcm", secretive(4, series=2, StudyInstanceUID="SECRET"))
    put(folder / "5.dcm", secretive(5, series=3))
    put(folder / "6.dcm", secretive(6, series=3, SeriesDescription="SECRETother"))
    put(folder / "7.dcm", secretive(7, series=4, PatientID=None))
    put(folder / "8.dcm", secretive(1, ContentDate="SECRETDATE"))
    # What the writer of these files said about them.
    caplog.clear()
    capfd.readouterr()
    job = imported(project, folder)
    again = run(rerun_import(job.pk, actor=None, who="system", now=timezone.now(), only_failed=True, enqueue=False))
    run(start(project, folder))

    assert {job.status, again.status} <= {"completed", "needs_review"}
    assert "SECRET" not in caplog.text
    assert "SECRET" not in "".join(capfd.readouterr())
    for event in Event.objects.all():
        assert "SECRET" not in event.detail
    for one in ImportJob.objects.all():
        assert "SECRET" not in one.error + one.pause_reason


def test_a_message_holds_a_number_and_nothing_else(project, places, tmp_path, monkeypatch):
    put(tmp_path / "in" / "1.dcm", secretive(1))
    sent = []
    monkeypatch.setattr(tasks.work, "delay", lambda *args, **named: sent.append((args, named)))

    run(start(project, tmp_path / "in"), by=Worker(owner=this_owner(), wake=tasks.wake))

    job = ImportJob.objects.get()
    assert len(sent) > 2
    assert set(map(str, sent)) == {str(((job.pk,), {}))}
