"""Whoever asks has to be allowed to; what cannot be imported is refused before a job is made."""

import os

import pytest
from django.db import transaction
from django.utils import timezone

from hierarchy.errors import NotAllowed, Refused
from importer import tasks
from importer.core.states import SourceKind
from importer.models import Event, ImportJob
from importer.pipeline.advance import advance
from importer.services import ImportRequest, cancel_import, rerun_import, start_import, who_is
from importer.tests.factories import make_job
from importer.tests.pipeline.drive import put, worker

pytestmark = pytest.mark.django_db
MAY = ("uploader", "data_manager", "admin", "site_admin")
MAY_NOT = ("viewer", "stranger")


@pytest.fixture
def source(tmp_path, places):
    return put(tmp_path / "in" / "x.txt").parent


def request(project, source, **changes):
    fields = {"source_kind": SourceKind.FOLDER, "source_root": os.fsencode(source), "label": "L", "who": "system"}
    return ImportRequest(project=project, **fields | changes)


def start(project, source, *, actor=None, enqueue=False, **changes):
    return start_import(request(project, source, **changes), actor=actor, now=timezone.now(), enqueue=enqueue)


@pytest.mark.parametrize("role", MAY)
def test_uploaders_and_those_above_them_import_cancel_and_run_again(project, people, source, role):
    actor = getattr(people, role)
    job = start(project, source, actor=actor, who=who_is(actor))
    assert (job.status, job.actor_id, job.who) == ("pending", actor.pk, f"user {actor.email}")
    assert cancel_import(job.pk, actor=actor, who="w", now=timezone.now()).status == "cancelling"
    ended = make_job(project, source_root=str(source))
    again = rerun_import(ended.pk, actor=actor, who="w", now=timezone.now(), only_failed=False, enqueue=False)
    assert (again.rerun_of_id, again.actor_id) == (ended.pk, actor.pk)


@pytest.mark.parametrize("role", MAY_NOT)
def test_viewers_and_strangers_may_none_of_it(project, people, source, role):
    actor = getattr(people, role)
    job = make_job(project, status="scanning", source_root=str(source))
    with pytest.raises(NotAllowed):
        start(project, source, actor=actor)
    with pytest.raises(NotAllowed):
        cancel_import(job.pk, actor=actor, who="w", now=timezone.now())
    with pytest.raises(NotAllowed):
        rerun_import(job.pk, actor=actor, who="w", now=timezone.now(), only_failed=False)
    job.refresh_from_db()
    assert (ImportJob.objects.count(), job.status, Event.objects.count()) == (1, "scanning", 0)


def test_somebody_switched_off_may_nothing(project, people, source):
    people.admin.is_active = False
    people.admin.save()
    with pytest.raises(NotAllowed):
        start(project, source, actor=people.admin)


def test_a_source_outside_the_allowed_roots_is_refused_also_through_a_link(project, source, tmp_path, settings):
    settings.PRATIQUE_LOCAL_ROOTS = [(tmp_path / "allowed").resolve()]
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "link").symlink_to(source)
    (tmp_path / "allowed-not").mkdir()
    for root in (source, tmp_path / "allowed" / "link", tmp_path / "allowed" / ".." / "in", tmp_path / "allowed-not"):
        with pytest.raises(Refused, match="PRATIQUE_LOCAL_ROOTS"):
            start(project, root)
    inside = put(tmp_path / "allowed" / "in" / "x").parent
    assert start(project, inside).status == "pending"


@pytest.mark.parametrize("place", ["archive", "quarantine"])
def test_a_source_that_shares_bytes_with_us_is_refused(project, places, tmp_path, place):
    ours = getattr(places, place)
    put(ours / "lab" / "x")
    (tmp_path / "link").symlink_to(ours)
    for root in (ours, ours / "lab", tmp_path, tmp_path / "link"):
        with pytest.raises(Refused, match="our own bytes"):
            start(project, root)
    assert not ImportJob.objects.exists()


def test_what_is_no_folder_is_refused(project, source, tmp_path):
    for root, said in ((tmp_path / "gone", "cannot be opened"), (source / "x.txt", "not a folder")):
        with pytest.raises(Refused, match=said):
            start(project, root)


def test_what_is_not_built_is_refused_never_ignored(project, source):
    with pytest.raises(Refused):
        start(project, source, rules="mine")
    assert not ImportJob.objects.exists()


def test_a_root_that_becomes_a_link_after_the_check_is_not_followed(project, source, tmp_path):
    """The job keeps what the check saw."""
    secret = put(tmp_path / "secret" / "s" / "e" / "a" / "file").parents[3]
    job = start(project, source)
    source.rename(tmp_path / "moved")
    source.symlink_to(secret)
    for _ in range(4):
        advance(job.pk, worker=worker())

    job.refresh_from_db()
    assert (job.status, job.discovered) == ("paused", 0)


def test_a_link_that_the_operator_names_is_imported_as_what_it_leads_to(project, source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    assert start(project, tmp_path / "link").source_root == str(source)


@pytest.fixture
def woken(monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.work, "delay", lambda *args: sent.append(args))
    return sent


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_woken_once_the_job_is_there_and_never_before(project, source, woken):
    with transaction.atomic():
        job = start(project, source, enqueue=True)
        assert woken == []
    assert woken == [(job.pk,)]


class Change(Exception):
    pass


@pytest.mark.django_db(transaction=True)
def test_nobody_is_woken_for_a_job_that_was_not_kept(project, source, woken):
    def regretted():
        with transaction.atomic():
            start(project, source, enqueue=True)
            raise Change

    with pytest.raises(Change):
        regretted()
    assert woken == []
    assert not ImportJob.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_second_run_is_woken_as_what_it_is(project, source, monkeypatch):
    seen = []
    monkeypatch.setattr(tasks.work, "delay", lambda pk: seen.append(ImportJob.objects.get(pk=pk).only_failed))
    failed = make_job(project, failed=1, source_root=str(source))
    rerun_import(failed.pk, actor=None, who="system", now=timezone.now(), only_failed=True)
    assert seen == [True]


def test_a_run_again_has_the_options_of_the_first(project, source):
    first = start(
        project, source, description="D", uid_scope="site", missing_meta="skip", limit=7, dry_run=True, zone="Asia/Tokyo",
        source_kind=SourceKind.DROP_FOLDER,
    )  # fmt: skip
    ImportJob.objects.filter(pk=first.pk).update(status="planned")
    again = rerun_import(first.pk, actor=None, who="system", now=timezone.now(), only_failed=False, enqueue=False)
    names = ("label", "description", "uid_scope", "missing_meta", "limit", "dry_run", "zone", "source_kind",
             "source_root", "rules", "strategy")  # fmt: skip
    assert [getattr(again, name) for name in names] == [getattr(first, name) for name in names]


def test_a_run_again_without_its_source_is_refused(project, source):
    job = make_job(project, source_root=str(source / "gone"))
    with pytest.raises(Refused, match="cannot be opened"):
        rerun_import(job.pk, actor=None, who="system", now=timezone.now(), only_failed=False)
