"""Schedules: who makes them, when they run, never two at once, and what a run that cannot be says."""

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import FileVersion, Membership
from importer import schedule_queries, schedules, storage_providers, storage_services
from importer.core.transfer_rules import DeleteSource
from importer.models import Event, ImportJob, ImportSchedule
from importer.schedule_tasks import run_schedules
from importer.schedules import NewSchedule, Options, ScheduleEdit, Times
from importer.services import cancel_import
from importer.storage_address import Address
from importer.storage_providers import NewProvider, NotAcknowledged
from importer.storage_services import Scope, StorageEdit
from importer.tests.factories import make_project
from importer.tests.pipeline.drive import put_series, run
from importer.tests.storages import make, new_local
from storages.stores import Kind

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NIGHT = datetime(2026, 3, 2, 3, tzinfo=UTC)
DAY = timedelta(days=1)
NIGHTLY = Times(cron="0 3 * * *")


def by(actor=None, now=NOW):
    return {"actor": actor, "who": "user anna@example.org" if actor else "system", "now": now}


@pytest.fixture
def folder(tmp_path, places):
    for patient, study in (("P01", 1), ("P02", 2)):
        old(put_series(tmp_path / "pacs" / patient, 2, patient=patient, study=study))
    return tmp_path / "pacs"


def old(paths):
    """What was written less than two seconds before an import is not relied upon by the next."""
    for path in paths:
        os.utime(path, (1_700_000_000, 1_700_000_000))


@pytest.fixture
def storage(folder):
    return make(new_local(folder))


@pytest.fixture
def nightly(project, storage):
    return make_schedule(project, storage)


def make_schedule(project, storage, *, actor=None, **said):
    return schedules.create(
        NewSchedule(**{"project": project, "storage": storage, "times": NIGHTLY, "name": "nightly", **said}),
        **by(actor),
    )


def due(now=NIGHT):
    """The imports that a look at this time starts."""
    return list(ImportJob.objects.filter(pk__in=schedules.run_due(now=now)))


class TestTimes:
    def test_it_runs_when_it_is_due_and_not_before(self, nightly):
        assert nightly.next_run_at == NIGHT
        assert due(NIGHT - timedelta(seconds=1)) == []
        (job,) = due(NIGHT)
        nightly.refresh_from_db()
        assert (job.schedule, job.who, job.label, job.source_kind) == (
            nightly,
            "schedule nightly",
            "nightly",
            "storage",
        )
        assert (nightly.last_run_at, nightly.next_run_at) == (NIGHT, NIGHT + DAY)

    def test_of_the_times_that_were_missed_one_is_made_up_for(self, nightly):
        (job,) = due(NIGHT + 5 * DAY + timedelta(hours=1))
        run(job)
        assert due(NIGHT + 5 * DAY + timedelta(hours=2)) == []
        assert ImportSchedule.objects.get().next_run_at == NIGHT + 6 * DAY

    def test_not_before_its_start_and_the_start_itself_counts(self, project, storage):
        kept = make_schedule(project, storage, times=Times(cron="0 3 * * *", start=NIGHT + 2 * DAY))
        assert kept.next_run_at == NIGHT + 2 * DAY

    def test_after_its_end_it_is_over(self, project, storage):
        make_schedule(project, storage, times=Times(cron="0 3 * * *", end=NIGHT))
        (job,) = due(NIGHT)
        run(job)
        kept = ImportSchedule.objects.get()
        assert (kept.active, kept.next_run_at, schedules.upcoming(kept)) == (True, None, [])
        assert due(NIGHT + DAY) == []

    @pytest.mark.parametrize(
        ("times", "said"),
        [
            (Times(cron="every night"), "five fields"),
            (Times(cron="0 0 31 2 *"), "none that ever comes"),
            (Times(cron="0 3 * * *", start=NIGHT, end=NIGHT), "before the start"),
            (Times(cron="0 3 * * *", end=NIGHT - DAY), "No run would ever come"),
        ],
    )
    def test_times_that_make_no_sense_are_refused(self, project, storage, times, said):
        with pytest.raises(Refused, match=said):
            make_schedule(project, storage, times=times)
        assert not ImportSchedule.objects.exists()

    def test_the_task_of_beat_starts_what_is_due(self, nightly):
        run_schedules()
        assert ImportJob.objects.get().schedule == nightly


class TestOneAtATime:
    def test_what_is_due_while_a_run_is_under_way_is_left_out_and_said_once(self, nightly):
        (job,) = due(NIGHT)
        assert due(NIGHT + DAY) == []
        assert due(NIGHT + 2 * DAY) == []
        nightly.refresh_from_db()
        assert (
            nightly.trouble == f"Import {job.pk} has not ended yet: two runs of a schedule are never under way at once."
        )
        assert nightly.next_run_at == NIGHT + 3 * DAY
        assert Event.objects.filter(schedule_id=nightly.pk, what="run left out").count() == 1
        run(job)
        (following,) = due(NIGHT + 3 * DAY)
        nightly.refresh_from_db()
        assert (following.schedule, nightly.trouble) == (nightly, "")

    def test_a_plan_that_waits_is_under_way(self, project, storage):
        make_schedule(project, storage, options=Options(dry_run=True))
        (job,) = due(NIGHT)
        assert run(job).status == "planned"
        assert due(NIGHT + DAY) == []
        assert f"The plan of import {job.pk} waits" in ImportSchedule.objects.get().trouble
        cancel_import(job.pk, actor=None, who="system", now=NIGHT + DAY)
        run(job)
        assert len(due(NIGHT + 2 * DAY)) == 1

    def test_the_database_has_the_last_word(self, nightly):
        (job,) = due(NIGHT)
        other = ImportJob.objects.get(pk=job.pk)
        other.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            other.save()
        run(job)
        other.save()

    def test_who_loses_the_race_is_refused_with_words(self, nightly, monkeypatch):
        due(NIGHT)
        monkeypatch.setattr(ImportSchedule, "runs", ImportJob.objects.none())
        with pytest.raises(Refused, match="two never run at once"):
            schedules.run_now(nightly.pk, **by())
        assert ImportJob.objects.count() == 1

    def test_two_that_look_at_one_moment_start_one_run(self, nightly):
        stale = ImportSchedule.objects.get()
        assert len(due(NIGHT)) == 1
        run(ImportJob.objects.get())
        assert schedules._run(stale, now=NIGHT) is None
        assert ImportJob.objects.count() == 1

    def test_a_run_by_hand_counts_and_moves_no_time(self, nightly):
        job = schedules.run_now(nightly.pk, **by())
        with pytest.raises(Refused, match="has not ended yet"):
            schedules.run_now(nightly.pk, **by())
        assert (job.who, ImportSchedule.objects.get().next_run_at) == ("system", NIGHT)


class TestWhatIsNew:
    def test_each_run_takes_only_what_is_new_and_says_what_vanished(self, nightly, folder):
        first = run(due(NIGHT)[0])
        assert (first.status, first.imported) == ("completed", 4)
        second = run(due(NIGHT + DAY)[0])
        assert (second.imported, second.skipped, second.vanished) == (0, 4, 0)
        old(put_series(folder / "P03", 2, patient="P03", study=3))
        shutil.rmtree(folder / "P01")
        third = run(due(NIGHT + 2 * DAY)[0])
        assert (third.imported, third.skipped, third.vanished) == (2, 2, 2)
        assert FileVersion.objects.count() == 3

    def test_what_a_run_deletes_at_its_source_has_not_vanished(self, project, storage, folder):
        make_schedule(project, storage, options=Options(delete_source=DeleteSource.ON_SUCCESS))
        first = run(due(NIGHT)[0])
        assert (first.imported, [path for path in folder.rglob("*") if path.is_file()]) == (4, [])
        second = run(due(NIGHT + DAY)[0])
        assert (second.status, second.discovered, second.vanished) == ("completed", 0, 0)

    def test_prefixes_narrow_it(self, project, storage):
        kept = make_schedule(project, storage, prefixes=["P02/", "P02/below/"])
        assert kept.prefixes == ["P02/"]
        assert run(due(NIGHT)[0]).discovered == 2

    def test_options_reach_the_import(self, project, storage):
        options = Options(
            rules="by-path", strategy="skip", uid_scope="site", missing_meta="fail", limit=1, checksum=True,
            transfer="copy", dry_run=True,
        )  # fmt: skip
        make_schedule(project, storage, options=options, description="from the scanner")
        (job,) = due(NIGHT)
        assert (job.rules, job.strategy, job.uid_scope, job.missing_meta) == ("by-path", "skip", "site", "fail")
        assert (job.limit, job.checksum, job.transfer, job.dry_run) == (1, True, "copy", True)
        assert job.description == "from the scanner"


class TestWhoMay:
    def test_uploaders_make_them_and_nobody_below(self, people, project, storage):
        for actor in (people.viewer, people.stranger):
            with pytest.raises(NotAllowed):
                make_schedule(project, storage, actor=actor)
        kept = make_schedule(project, storage, actor=people.uploader)
        assert (kept.actor, kept.system) == (people.uploader, False)
        for actor, verb in ((people.viewer, NotAllowed), (people.stranger, Refused)):
            with pytest.raises(verb):
                schedules.update(kept.pk, ScheduleEdit(name="mine"), **by(actor))
            with pytest.raises(verb):
                schedules.switch(kept.pk, on=False, **by(actor))
            with pytest.raises(verb):
                schedules.remove(kept.pk, **by(actor))
            with pytest.raises(verb):
                schedules.run_now(kept.pk, **by(actor))
        assert ImportSchedule.objects.get().name == "nightly"
        assert [one.pk for one in schedule_queries.visible(people.viewer)] == [kept.pk]
        assert not schedule_queries.visible(people.stranger).exists()

    def test_a_run_may_no_more_than_who_answers_for_it_at_that_time(self, people, project, storage):
        make_schedule(project, storage, actor=people.uploader)
        Membership.objects.filter(user=people.uploader).update(role="viewer")
        assert due(NIGHT) == []
        assert "uploader" in ImportSchedule.objects.get().trouble
        Membership.objects.filter(user=people.uploader).update(role="uploader")
        (job,) = due(NIGHT + DAY)
        assert job.actor == people.uploader

    @pytest.mark.parametrize("gone", ["deleted", "switched off"])
    def test_without_who_answers_for_it_nothing_runs_until_somebody_takes_it_over(self, people, project, storage, gone):
        kept = make_schedule(project, storage, actor=people.uploader)
        if gone == "deleted":
            people.uploader.delete()
        else:
            type(people.uploader).objects.filter(pk=people.uploader.pk).update(is_active=False)
        assert due(NIGHT) == []
        assert ImportSchedule.objects.get().trouble
        schedules.update(kept.pk, ScheduleEdit(), **by(people.data_manager))
        (job,) = due(NIGHT + DAY)
        assert job.actor == people.data_manager

    def test_a_storage_that_is_off_or_somebody_else_s_stops_it_with_words(self, people, project, storage):
        make_schedule(project, storage, actor=people.uploader)
        storage_services.update(storage.pk, StorageEdit(enabled=False), **by())
        assert due(NIGHT) == []
        assert "switched off" in ImportSchedule.objects.get().trouble
        other = make_project("lab/Heart")
        storage_services.update(storage.pk, StorageEdit(enabled=True, scope=Scope(project=other)), **by())
        assert due(NIGHT + DAY) == []
        assert "no storage" in ImportSchedule.objects.get().trouble


class TestKeeping:
    def test_what_an_import_would_be_refused_for_is_refused_at_once(self, project, storage):
        for said, words in (
            ({"options": Options(rules="nowhere")}, "nowhere"),
            ({"options": Options(rules_text="rules: [")}, "rules"),
            ({"prefixes": ["x" * 1025]}, "prefix"),
        ):
            with pytest.raises(Refused, match=words):
                make_schedule(project, storage, **said)
        assert not ImportSchedule.objects.exists()

    @pytest.mark.parametrize("name", ["x" * 65, "a\nb", "17"])
    def test_a_name_has_to_be_one(self, project, storage, name):
        with pytest.raises(Refused, match="name"):
            make_schedule(project, storage, name=name)

    def test_without_a_name_it_is_called_after_storage_and_project(self, project, storage):
        assert make_schedule(project, storage, name="").name == "scans into lab/Brain"

    def test_a_name_is_there_once_whatever_its_case(self, nightly, project, storage):
        with pytest.raises(Refused, match="already"):
            make_schedule(project, storage, name="NIGHTLY")

    def test_a_change_leaves_the_rest_and_is_written_down(self, nightly, people):
        kept = schedules.update(
            nightly.pk, ScheduleEdit(times=Times(cron="30 4 * * 1"), prefixes=["P01/"]), **by(people.admin)
        )
        assert (kept.cron, kept.next_run_at) == ("30 4 * * 1", datetime(2026, 3, 2, 4, 30, tzinfo=UTC))
        assert (kept.name, kept.prefixes, kept.actor) == ("nightly", ["P01/"], people.admin)
        events = Event.objects.filter(schedule_id=nightly.pk).order_by("id").values_list("what", flat=True)
        assert list(events) == ["schedule made", "schedule changed"]

    def test_off_nothing_is_due_and_on_again_it_goes_on_from_then(self, nightly):
        schedules.switch(nightly.pk, on=False, **by())
        assert due(NIGHT) == []
        kept = schedules.switch(nightly.pk, on=True, **by(now=NIGHT + DAY + timedelta(hours=1)))
        assert kept.next_run_at == NIGHT + 2 * DAY

    def test_removed_its_imports_stay(self, nightly):
        job = run(due(NIGHT)[0])
        schedules.remove(nightly.pk, **by())
        job.refresh_from_db()
        assert (job.schedule, job.who, job.status) == (None, "schedule nightly", "completed")
        assert Event.objects.filter(schedule_id=nightly.pk, what="schedule removed").exists()

    def test_a_storage_with_a_schedule_is_not_deleted(self, nightly, storage):
        with pytest.raises(Refused, match="schedule"):
            storage_services.delete(storage.pk, **by())

    def test_from_a_provider_it_is_agreed_to_first(self, project, folder):
        place = Address(kind=Kind.LOCAL, bucket=str(folder))
        provider = storage_providers.create(NewProvider(label="pacs", address=place, acknowledged=True), **by())
        storage = make(new_local(folder, provider=provider))
        with pytest.raises(NotAcknowledged):
            make_schedule(project, storage)
        storage_providers.acknowledge(storage.pk, **by())
        assert make_schedule(project, storage).pk
