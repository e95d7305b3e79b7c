"""Pages of schedules and their REST twin: what each shows to whom, and what the forms do."""

import json
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from importer import schedules
from importer.models import ImportJob, ImportSchedule
from importer.schedules import NewSchedule, Options, Times
from importer.tests.factories import make_job
from importer.tests.pipeline.drive import put_series, run
from importer.tests.storages import make, new_local

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NIGHT = datetime(2026, 3, 2, 3, tzinfo=UTC)
API = "/api/v1/schedules"
HOSTILE = "<b>x</b>\u202e"


@pytest.fixture
def storage(tmp_path, places):
    for patient, study in (("P01", 1), ("P02", 2)):
        put_series(tmp_path / "pacs" / patient, 2, patient=patient, study=study)
    return make(new_local(tmp_path / "pacs"))


@pytest.fixture
def nightly(project, storage):
    return make_schedule(project, storage)


def make_schedule(project, storage, **said):
    new = NewSchedule(
        **{"project": project, "storage": storage, "times": Times(cron="0 3 * * *"), "name": "nightly", **said}
    )
    return schedules.create(new, actor=None, who="system", now=NOW)


@pytest.fixture
def uploader(client, people):
    client.force_login(people.uploader)
    return client


def text(answer) -> str:
    return unescape(answer.content.decode())


def page(client, name, *args, **query) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200
    return text(answer)


def form(**said):
    return {"name": "weekly", "cron": "0 6 * * mon", "prefixes": "", **said}


class TestTheList:
    def test_it_says_when_from_where_into_what_and_how_the_last_run_went(self, uploader, nightly):
        run(schedules.run_now(nightly.pk, actor=None, who="system", now=NOW))
        shown = page(uploader, "schedules")
        for said in ("nightly", "scans", "lab/Brain", "0 3 * * *", "Completed"):
            assert said in shown

    def test_a_stranger_sees_none_and_the_empty_page_says_why(self, client, people, nightly):
        client.force_login(people.stranger)
        shown = page(client, "schedules")
        assert "nightly" not in shown
        assert "ask an admin of the site" in shown

    @pytest.mark.parametrize(("state", "there"), [("on", 1), ("trouble", 0), ("over", 0), ("off", 0), ("nonsense", 1)])
    def test_it_is_narrowed_by_state(self, uploader, nightly, state, there):
        assert ("nightly" in page(uploader, "schedules", state=state)) == bool(there)

    def test_it_is_searched(self, uploader, nightly):
        assert "nightly" in page(uploader, "schedules", q="SCANS")
        assert "Nothing matches" in page(uploader, "schedules", q="elsewhere")

    @pytest.mark.parametrize("many", [1, 30])
    def test_the_number_of_queries_does_not_grow(self, uploader, project, storage, django_assert_max_num_queries, many):
        for number in range(many):
            make_schedule(project, storage, name=f"every night {number}")
        with django_assert_max_num_queries(16):
            page(uploader, "schedules")

    def test_the_imports_lead_to_it(self, uploader, nightly):
        assert f'href="{reverse("schedules")}"' in page(uploader, "imports")


class TestOne:
    def test_it_shows_its_runs_and_how_it_is_set_up(self, uploader, project, storage):
        kept = make_schedule(project, storage, prefixes=["P01/"], options=Options(strategy="skip", rules="standard"))
        job = run(schedules.run_now(kept.pk, actor=None, who="system", now=NOW))
        shown = page(uploader, "schedule", kept.pk)
        for said in (f"no. {job.pk}", "P01/", "keep what stands", "2026-03-02", "2026-03-04", "Run now"):
            assert said in shown

    def test_while_a_run_is_under_way_it_says_so(self, uploader, nightly):
        job = schedules.run_now(nightly.pk, actor=None, who="system", now=NOW)
        shown = page(uploader, "schedule", nightly.pk)
        assert f"import {job.pk}</a> is under way" in shown.lower()
        assert "Run now" not in shown

    def test_trouble_is_told(self, uploader, nightly):
        ImportSchedule.objects.update(trouble="The storage scans is switched off.")
        assert "did not take place" in page(uploader, "schedule", nightly.pk)

    def test_a_viewer_looks_and_changes_nothing(self, client, people, nightly):
        client.force_login(people.viewer)
        shown = page(client, "schedule", nightly.pk)
        for word in ("Run now", "Edit", "Remove it"):
            assert word not in shown
        for verb in ("run", "switch", "remove"):
            assert client.post(reverse(f"schedule-{verb}", args=[nightly.pk])).status_code == 403
        assert client.get(reverse("schedule-edit", args=[nightly.pk])).status_code == 403
        assert ImportSchedule.objects.get().active
        assert not ImportJob.objects.exists()

    def test_to_a_stranger_it_is_not_there(self, client, people, nightly):
        client.force_login(people.stranger)
        for verb in ("schedule", "schedule-edit"):
            assert client.get(reverse(verb, args=[nightly.pk])).status_code == 404
        for verb in ("run", "switch", "remove"):
            assert client.post(reverse(f"schedule-{verb}", args=[nightly.pk])).status_code == 404

    def test_hostile_names_come_out_escaped(self, uploader, project, storage):
        make_schedule(project, storage, name="<b>x</b>", prefixes=[HOSTILE])
        kept = ImportSchedule.objects.get()
        for name, args in (("schedules", []), ("schedule", [kept.pk]), ("schedule-edit", [kept.pk])):
            answer = uploader.get(reverse(name, args=args)).content.decode()
            assert "<b>x" not in answer

    def test_many_runs_are_paged(self, uploader, nightly):
        for _ in range(21):
            make_job(nightly.project, schedule=nightly)
        first = uploader.get(reverse("schedule", args=[nightly.pk]))
        assert len(first.context["jobs"]) == 20
        second = uploader.get(first.context["page"].next_url)
        assert len(second.context["jobs"]) == 1


class TestActing:
    def test_run_now_shows_the_import(self, uploader, nightly):
        answer = uploader.post(reverse("schedule-run", args=[nightly.pk]))
        job = ImportJob.objects.get()
        assert answer["Location"] == reverse("import", args=[job.pk])
        assert (job.schedule, job.who) == (nightly, "user uploader@example.org")
        again = uploader.post(reverse("schedule-run", args=[nightly.pk]))
        assert again.status_code == 409
        assert "has not ended yet" in text(again)

    def test_off_and_on(self, uploader, nightly):
        uploader.post(reverse("schedule-switch", args=[nightly.pk]), {"active": "0"})
        assert not ImportSchedule.objects.get().active
        uploader.post(reverse("schedule-switch", args=[nightly.pk]), {"active": "1"})
        assert ImportSchedule.objects.get().next_run_at is not None

    def test_removed_it_is_gone_from_the_list(self, uploader, nightly):
        answer = uploader.post(reverse("schedule-remove", args=[nightly.pk]), follow=True)
        assert "nightly is removed" in text(answer)
        assert not ImportSchedule.objects.exists()


class TestTheForm:
    def test_first_the_storage_then_the_rest(self, uploader, people, project, storage):
        assert f"?storage={storage.pk}" in page(uploader, "schedule-new")
        shown = page(uploader, "schedule-new", storage=storage.pk, prefix="P01/")
        assert "P01/</textarea>" in shown
        address = f"{reverse('schedule-new')}?storage={storage.pk}"
        answer = uploader.post(
            address,
            form(project=project.pk, prefixes="P01/\r\nP02/", checksum="on", limit="7", delete_source="on_success"),
        )
        kept = ImportSchedule.objects.get()
        assert answer["Location"] == reverse("schedule", args=[kept.pk])
        assert (kept.name, kept.cron, kept.prefixes) == ("weekly", "0 6 * * mon", ["P01/", "P02/"])
        assert (kept.checksum, kept.limit, kept.transfer, kept.delete_source) == (True, 7, "auto", "on_success")
        assert (kept.actor, kept.who) == (people.uploader, "user uploader@example.org")

    def test_its_times_are_utc_whatever_the_installation_s_zone(self, uploader, project, storage, settings):
        settings.TIME_ZONE = "America/New_York"
        address = f"{reverse('schedule-new')}?storage={storage.pk}"
        uploader.post(address, form(project=project.pk, start="2031-03-09T02:30", end="2032-01-01T00:00"))
        kept = ImportSchedule.objects.get()
        assert kept.start_at == datetime(2031, 3, 9, 2, 30, tzinfo=UTC)
        assert kept.end_at == datetime(2032, 1, 1, tzinfo=UTC)
        shown = page(uploader, "schedule-edit", kept.pk)
        assert 'value="2031-03-09T02:30"' in shown

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({"cron": "every night"}, "five fields"),
            ({"cron": ""}, "This field is required"),
            ({"start": "2031-01-02T00:00", "end": "2031-01-01T00:00"}, "before the start"),
            ({"end": "2020-01-01T00:00"}, "No run would ever come"),
            ({"name": "17"}, "digits alone"),
            ({"name": "nightly"}, "already"),
        ],
    )
    def test_what_is_wrong_is_said(self, uploader, nightly, said, words):
        address = f"{reverse('schedule-new')}?storage={nightly.storage_id}"
        answer = uploader.post(address, form(project=nightly.project_id, **said))
        assert answer.status_code == 400
        assert words in text(answer)
        assert ImportSchedule.objects.count() == 1

    def test_saving_takes_it_over_and_keeps_what_is_not_asked(self, uploader, people, project, storage):
        rules = "rules: [{level: acquisition, type: dicom}]\n"
        kept = make_schedule(project, storage, options=Options(rules="mine", rules_text=rules))
        shown = page(uploader, "schedule-edit", kept.pk)
        assert "this schedule's own" in shown
        uploader.post(reverse("schedule-edit", args=[kept.pk]), form(name="nightly", rules="mine"))
        kept.refresh_from_db()
        assert (kept.cron, kept.rules_text, kept.actor) == ("0 6 * * mon", rules, people.uploader)
        uploader.post(reverse("schedule-edit", args=[kept.pk]), form(name="nightly", rules="standard"))
        kept.refresh_from_db()
        assert (kept.rules, kept.rules_text) == ("standard", "")

    def test_without_a_storage_it_says_whom_to_ask(self, uploader, project):
        assert "There is no storage for you" in page(uploader, "schedule-new")


def sent(client, method, address, **said):
    return getattr(client, method)(address, json.dumps(said), content_type="application/json")


class TestRest:
    def test_made_read_changed_run_and_removed(self, uploader, project, storage):
        made = sent(
            uploader, "post", API, project="lab/Brain", storage="scans", cron="0 3 * * *", name="nightly",
            prefixes=["P01/"], conflict_strategy="skip", end="2099-01-01T00:00:00+01:00",
        )  # fmt: skip
        assert made.status_code == 201
        said = made.json()
        assert (said["name"], said["state"], said["storage"], said["project"]) == (
            "nightly",
            "on",
            "scans",
            "lab/Brain",
        )
        assert len(said["upcoming"]) == 3
        address = f"{API}/{said['id']}"
        assert [one["id"] for one in uploader.get(API, {"state": "on"}).json()["results"]] == [said["id"]]
        changed = sent(uploader, "patch", address, cron="30 4 * * *", conflict_strategy=None).json()
        assert sent(uploader, "patch", address, delete_source="on_success").json()["delete_source"] == "on_success"
        assert (changed["cron"], changed["conflict_strategy"], changed["prefixes"]) == ("30 4 * * *", "", ["P01/"])
        job = uploader.post(f"{address}/run").json()
        assert (job["schedule"], job["label"]) == (said["id"], "nightly")
        assert uploader.post(f"{address}/run").status_code == 409
        assert [one["id"] for one in uploader.get(f"{address}/runs").json()["results"]] == [job["id"]]
        assert sent(uploader, "patch", address, active=False).json()["state"] == "off"
        assert uploader.delete(address).status_code == 204
        assert not ImportSchedule.objects.exists()

    def test_a_viewer_looks_a_stranger_finds_nothing(self, client, people, nightly):
        address = f"{API}/{nightly.pk}"
        client.force_login(people.viewer)
        assert client.get(address).status_code == 200
        assert uploads(client, address) == [403, 403, 403]
        client.force_login(people.stranger)
        assert client.get(address).status_code == 404
        assert uploads(client, address) == [404, 404, 404]
        assert ImportSchedule.objects.get().name == "nightly"

    def test_what_is_wrong_comes_in_the_envelope(self, uploader, project, storage):
        said = {"project": "lab/Brain", "storage": "scans"}
        assert sent(uploader, "post", API, **said).status_code == 400
        answer = sent(uploader, "post", API, cron="soon", **said)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "refused")
        assert "five fields" in answer.json()["error"]["message"]

    @pytest.mark.parametrize("many", [1, 20])
    def test_the_number_of_queries_does_not_grow(self, uploader, project, storage, django_assert_max_num_queries, many):
        for number in range(many):
            make_schedule(project, storage, name=f"every night {number}")
        with django_assert_max_num_queries(8):
            assert len(uploader.get(API).json()["results"]) == many


def uploads(client, address):
    asked = (("patch", address, {"name": "mine"}), ("post", f"{address}/run", {}), ("delete", address, {}))
    return [sent(client, method, where, **said).status_code for method, where, said in asked]


def test_who_answered_may_be_gone(uploader, project, storage):
    made = User.objects.create_superuser("gone", "gone@example.org", "correct horse")
    kept = schedules.create(
        NewSchedule(project=project, storage=storage, times=Times(cron="0 3 * * *")),
        actor=made, who="user gone@example.org", now=NOW,
    )  # fmt: skip
    made.delete()
    schedules.run_due(now=NIGHT + timedelta(hours=1))
    assert "open it and save it" in page(uploader, "schedule", kept.pk)
