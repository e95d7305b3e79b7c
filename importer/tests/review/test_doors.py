"""The same guard and the same effect from every door: service, command, administration."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import File
from importer.core.states import ConflictType as T
from importer.models import Alias, Conflict, Decision, ImportJob, Resolution
from importer.pipeline.resolving import resolve
from importer.review import cancel_resolution, decide, forecast, undo_resolution
from importer.tests.pipeline.drive import imported, put, worker, wrongs
from importer.tests.review.cases import MAKE, decided, plain_file_name, undone, verdict, waiting

pytestmark = pytest.mark.django_db(transaction=True)


def many(project, folder, count):
    """`count` names taken by other content, in one acquisition."""
    for word in ("one", "two"):
        for number in range(count):
            put(folder / word / "S" / "V" / "A" / f"{number:05}.txt", f"{word} {number}".encode())
        imported(project, folder / word)
    assert waiting().count() == count


@pytest.mark.parametrize("who", ["viewer", "uploader", "stranger"])
def test_who_is_no_data_manager_is_refused_and_nothing_changes(who, project, people, places, tmp_path):
    plain_file_name(project, tmp_path)
    actor = getattr(people, who)
    with pytest.raises(NotAllowed):
        decide(waiting(), verdict("update"), actor=actor, now=timezone.now(), enqueue=False)
    with pytest.raises(NotAllowed):
        forecast(waiting(), verdict("update"), actor=actor)
    assert Decision.objects.count() == 0
    decided(waiting(), "update", actor=people.data_manager)
    with pytest.raises(NotAllowed):
        undone(Decision.objects.get(), actor=actor)
    assert Decision.objects.get().status == "applied"


def test_a_forecast_changes_nothing_and_names_what_does_not_fit(project, places, tmp_path):
    plain_file_name(project, tmp_path / "plain")
    MAKE[T.LABEL_MISSING](project, tmp_path / "nameless")
    found = forecast(waiting(), verdict("update"), actor=None)
    assert found.by_action == {"replace_existing": 1}
    assert [number for reason, number in found.left_out.items() if "label_is_missing" in reason] == [2]
    assert Decision.objects.count() == 0


def test_deciding_twice_is_refused_the_second_time(project, places, tmp_path):
    plain_file_name(project, tmp_path)
    rows = waiting()
    decide(rows, verdict("update"), actor=None, now=timezone.now(), enqueue=False)
    with pytest.raises(Refused, match="Somebody else is deciding"):
        decide(rows, verdict("skip"), actor=None, now=timezone.now(), enqueue=False)


def test_a_target_that_was_deleted_is_an_error_on_the_row_which_stays_open(project, places, tmp_path):
    plain_file_name(project, tmp_path)
    made = decide(waiting(), verdict("update"), actor=None, now=timezone.now(), enqueue=False)
    file = File.objects.get()
    file.versions.all().delete()
    file.delete()
    resolve(made.pk, worker=worker())
    row = Conflict.objects.get()
    assert row.status == "open"
    assert "not there any more" in row.action_error
    assert Resolution.objects.get().refused == 1


def test_a_file_that_changed_since_it_was_decided_is_an_error_on_the_row(project, places, tmp_path):
    plain_file_name(project, tmp_path)
    put(tmp_path / "c" / "S" / "V" / "A" / "notes.txt", b"three")
    imported(project, tmp_path / "c")
    first, second = waiting()
    decided(waiting().filter(pk=first.pk), "update")
    decided(waiting().filter(pk=second.pk), "update")
    assert File.objects.get().version == 3  # each saw the version that stood when it was carried out


def test_cancelling_leaves_what_is_done_and_opens_the_rest(project, places, tmp_path, monkeypatch):
    many(project, tmp_path, 3)
    made = decide(waiting(), verdict("update"), actor=None, now=timezone.now(), enqueue=False)
    monkeypatch.setattr("importer.tasks.wake_resolution", lambda pk: None)
    cancel_resolution(made.pk, actor=None, who="user ada@example.org", now=timezone.now())
    resolve(made.pk, worker=worker())
    made.refresh_from_db()
    assert made.status == "cancelled"
    assert waiting().count() == 3
    assert decided(waiting(), "skip").applied == 3


def test_many_decisions_are_taken_back_by_a_worker(project, places, tmp_path, monkeypatch):
    many(project, tmp_path, 3)
    resolution = decided(waiting(), "update")
    monkeypatch.setattr("importer.review.UNDO_AT_ONCE", 1)
    monkeypatch.setattr("importer.tasks.wake_resolution", lambda pk: None)
    done, why = undo_resolution(resolution.pk, actor=None, who="user ada@example.org", now=timezone.now())
    assert (done, list(why.values())) == (0, [3])
    assert waiting().count() == 0
    resolve(resolution.pk, worker=worker())
    assert waiting().count() == 3
    assert wrongs() == []
    assert Resolution.objects.get(pk=resolution.pk).undo_by == ""


def test_the_command_decides_filters_and_says_what_is_left(project, places, tmp_path, capsys):
    many(project, tmp_path, 3)
    job = ImportJob.objects.latest("pk")
    with pytest.raises(SystemExit) as ended:
        call_command("resolve_conflicts", "--import", job.pk, "--action", "update", "--filter", "path=~00001")
    assert ended.value.code == 3
    assert "1 decided, 0 could not be, 2 still open." in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        call_command("resolve_conflicts", "--import", job.pk, "--action", "skip")
    assert ended.value.code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--action", "merge_incoming"],
        ["--action", "assign_label", "--label", "subject"],
        ["--action", "update", "--filter", "colour=red"],
        ["--action", "update", "--filter", "type=odd"],
        ["--action", "update", "--as", "nobody"],
    ],
)
def test_the_command_refuses_with_2_what_cannot_be(words, project, places, tmp_path):
    plain_file_name(project, tmp_path)
    with pytest.raises(CommandError) as refused:
        call_command("resolve_conflicts", "--import", ImportJob.objects.latest("pk").pk, *words)
    assert refused.value.returncode == 2
    assert waiting().count() == 1


def test_a_dry_run_of_the_command_changes_nothing(project, places, tmp_path, capsys):
    plain_file_name(project, tmp_path)
    call_command("resolve_conflicts", "--import", ImportJob.objects.latest("pk").pk, "--action", "update", "--dry-run")
    assert "1 would be decided by replace_existing" in capsys.readouterr().out
    assert Decision.objects.count() == 0


def test_the_administration_decides_through_the_same_service(client, people, project, places, tmp_path):
    plain_file_name(project, tmp_path)
    client.force_login(people.site_admin)
    answer = client.post(
        reverse("admin:importer_conflict_changelist"),
        {"action": "decide_update", "_selected_action": [waiting().get().pk]},
        follow=True,
    )
    assert b"1 are being decided" in answer.content
    resolve(Resolution.objects.get().pk, worker=worker())
    assert Conflict.objects.get().action == "replace_existing"


def test_the_conflict_report_stays_when_the_objects_are_gone(project, places, tmp_path, capsys):
    plain_file_name(project, tmp_path)
    job = ImportJob.objects.latest("pk")
    decided(waiting(), "update")
    file = File.objects.get()
    file.versions.all().delete()
    file.delete()
    call_command("import_report", str(job.pk), "--conflicts")
    header, row = capsys.readouterr().out.strip().splitlines()
    assert header == "id,created,level,type,upload_path,resolved,resolved_by,action,action_error,action_result"
    assert row.endswith(",user ada@example.org,replace_existing,,S/V/A/notes.txt")
    call_command("import_report", str(job.pk), "--conflicts", "--format", "jsonl")
    said = json.loads(capsys.readouterr().out)
    assert said["type"] == "file_name_already_exists"


def test_an_alias_belongs_to_its_decision_and_goes_with_it(project, places, tmp_path):
    MAKE[T.LABEL_UID](project, tmp_path)
    decided(waiting(), "keep-all")
    assert Alias.objects.count() == 1
    undone(Decision.objects.filter(status="applied", leader=None).order_by("id").first())
    assert Alias.objects.count() == 0
