"""import_schedule from the shell."""

import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from hierarchy.models import Project
from importer import storage_providers
from importer.models import ImportJob, ImportSchedule
from importer.schedules import run_due
from importer.storage_address import Address
from importer.storage_providers import NewProvider
from importer.tests.factories import START
from importer.tests.pipeline.drive import put_series, run
from importer.tests.storages import WHO, make, new_local
from storages.stores import Kind

pytestmark = pytest.mark.django_db(transaction=True)
FAR = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path, places):
    put_series(tmp_path / "pacs" / "P01", 2)
    return tmp_path / "pacs"


@pytest.fixture
def storage(folder):
    return make(new_local(folder))


def add(*words):
    call_command("import_schedule", "add", "scans", *words, "--cron", "0 3 * * *")
    return ImportSchedule.objects.get()


def listed(capsys, *words):
    capsys.readouterr()
    call_command("import_schedule", "list", "--json", *words)
    return json.loads(capsys.readouterr().out)


def refused(*words) -> str:
    with pytest.raises(CommandError) as error:
        call_command("import_schedule", *words)
    assert error.value.returncode == 2
    return str(error.value)


def test_added_it_runs_when_it_is_due(project, storage, capsys):
    kept = add(
        "P01/", "--project", "lab/Brain", "--name", "nightly", "--start", "2030-01-01", "--end",
        "2098-12-31T23:00:00+02:00", "--include", "path=~*.dcm", "--conflict-strategy", "update", "--limit", "9",
    )  # fmt: skip
    assert "Schedule" in capsys.readouterr().out
    assert (kept.prefixes, kept.strategy, kept.limit, kept.system) == (["P01/"], "update", 9, True)
    assert (kept.rules, "path=~*.dcm" in kept.rules_text) == ("standard + options", True)
    assert (kept.start_at, kept.end_at) == (datetime(2030, 1, 1, tzinfo=UTC), datetime(2098, 12, 31, 21, tzinfo=UTC))
    assert kept.next_run_at == datetime(2030, 1, 1, 3, tzinfo=UTC)
    run_due(now=datetime(2031, 1, 1, tzinfo=UTC))
    done = run(ImportJob.objects.get())
    assert (done.imported, done.who, done.rules) == (2, "schedule nightly", "standard + options")


def test_listed_filtered_switched_and_removed(project, storage, capsys):
    add("--project", "lab/Brain", "--name", "nightly")
    (row,) = listed(capsys, "--filter", "storage=scans", "--filter", "active=true")
    assert (row["name"], row["state"], row["project"], row["cron"]) == ("nightly", "on", "lab/Brain", "0 3 * * *")
    call_command("import_schedule", "off", "NIGHTLY")
    (row,) = listed(capsys)
    assert (row["state"], row["next_run_at"]) == ("off", None)
    call_command("import_schedule", "on", str(row["id"]))
    assert ImportSchedule.objects.get().next_run_at is not None
    call_command("import_schedule", "list")
    assert capsys.readouterr().out.count("\tnightly\ton\tscans\tlab/Brain\t0 3 * * *\t") == 1
    call_command("import_schedule", "remove", "nightly")
    assert listed(capsys) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "scans", "--project", "lab/Brain", "--cron", "soon"], "five fields"),
        (["add", "nowhere", "--project", "lab/Brain", "--cron", "0 3 * * *"], "no storage nowhere"),
        (["add", "scans", "--project", "lab/Nowhere", "--cron", "0 3 * * *"], "no project"),
        (["add", "scans", "--project", "lab/New", "--create", "--cron", "0 0 31 2 *"], "none that ever comes"),
        (["add", "scans", "--project", "lab/Brain", "--cron", "0 3 * * *", "--limit", "0"], "--limit"),
        (["add", "scans", "--project", "lab/Brain", "--cron", "0 3 * * *", "--as", "viewer"], "scans"),
        (["remove", "nothing"], "no schedule nothing"),
        (["list", "--filter", "colour=red"], "colour"),
    ],
)
def test_what_is_refused_makes_nothing_and_ends_with_2(people, project, storage, words, said):
    assert said in refused(*words)
    assert not ImportSchedule.objects.exists()
    assert Project.objects.count() == 1


@pytest.mark.parametrize("time", ["tomorrow", "2026-13-01"])
def test_a_time_has_to_be_one(project, storage, time):
    with pytest.raises(CommandError, match="--start"):
        add("--project", "lab/Brain", "--start", time)


def test_the_warning_about_references_is_agreed_to_by_an_option(project, folder):
    place = Address(kind=Kind.LOCAL, bucket=str(folder))
    new = NewProvider(label="pacs", address=place, acknowledged=True)
    storage = make(new_local(folder, provider=storage_providers.create(new, actor=None, who=WHO, now=START)))
    said = refused("add", "scans", "--project", "lab/Brain", "--cron", "0 3 * * *")
    assert said == storage_providers.REFERENCE_WARNING
    assert add("--project", "lab/Brain", "--acknowledge").storage == storage


def test_who_makes_it_as_somebody_lets_them_answer_for_it(people, project, storage):
    kept = add("--project", "lab/Brain", "--as", "uploader")
    assert (kept.actor, kept.who) == (people.uploader, "user uploader@example.org")
