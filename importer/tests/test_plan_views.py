"""The page of a plan: what it shows, who may trim and approve it, and that a big one costs no more queries."""

import csv
import io
import json
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from importer.core.states import Level
from importer.models import ImportJob, Placement
from importer.plans import Branch, deselect
from importer.tests.factories import make_item, make_job, make_placement
from importer.tests.pipeline.drive import imported, put, put_series, run, start

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def viewer(client, people):
    client.force_login(people.viewer)
    return client


@pytest.fixture
def uploader(client, people):
    client.force_login(people.uploader)
    return client


@pytest.fixture
def job(project, places, tmp_path):
    """P01 is there with one series; P02 is new. One conflict, one file that is there, junk."""
    put_series(tmp_path / "before" / "2", 1, series=2, SeriesDescription="t")
    put(tmp_path / "before" / "2" / "same.txt", b"same")
    imported(project, tmp_path / "before")
    for patient, study in (("P01", 1), ("P02", 2)):
        for series in (1, 2):
            said = {"patient": patient, "study": study, "series": series}
            put_series(tmp_path / "in" / patient / str(series), 3, **said, SeriesDescription="t")
    put(tmp_path / "in" / "P01" / "2" / "same.txt", b"same")
    put(tmp_path / "in" / ".DS_Store")
    job = run(start(project, tmp_path / "in", dry_run=True))
    assert job.status == "planned"
    return job


def url(job, name="plan", **query):
    return reverse(name, args=[job.pk], query=query or None)


def text(response) -> str:
    return response.content.decode()


def shown(response) -> str:
    """The words, without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text(response)))


def names(response) -> list[str]:
    return re.findall(r'<span class="name[^"]*">([^<]*)</span>', text(response))


def key(job, level, **labels):
    row = Placement.objects.filter(job=job, **labels).order_by("pk").first()
    return f"{level}:{row.pk}"


def opened(job, *levels, subject="P01"):
    session = "study 1" if subject == "P01" else "study 2"
    keys = {
        "subject": key(job, "subject", subject_label=subject),
        "session": key(job, "session", subject_label=subject, session_label=session),
        "acquisition": key(job, "acquisition", subject_label=subject, acquisition_label="2 - t"),
    }
    return [keys[level] for level in levels]


# Who may


@pytest.mark.parametrize("name", ["plan", "plan-branch", "plan-report"])
def test_a_stranger_finds_no_plan(client, people, job, name):
    client.force_login(people.stranger)
    assert client.get(url(job, name)).status_code == 404


@pytest.mark.parametrize("name", ["plan-select", "plan-approve"])
def test_a_stranger_finds_nothing_to_change_and_a_viewer_may_not(client, people, job, name):
    client.force_login(people.stranger)
    assert client.post(url(job, name)).status_code == 404
    client.force_login(people.viewer)
    said = {"key": "all", "expect": "0"}
    assert client.post(url(job, name), said).status_code == 403
    assert ImportJob.objects.get(pk=job.pk).status == "planned"
    assert not Placement.objects.filter(deselected=True).exists()


def test_a_viewer_sees_the_plan_without_boxes_or_buttons(viewer, job):
    page = text(viewer.get(url(job)))
    assert "data-choose" not in page
    assert "Approve and import" not in page
    assert "Who may upload to this project can trim and approve it." in page


# What it shows


def test_the_headline_says_what_would_be_done(uploader, job):
    said = shown(uploader.get(url(job)))
    assert "Files to import 3" in said
    assert "New subjects 1 New sessions 1 New acquisitions 3" in said
    assert "Conflicts 1 would wait for a decision" in said
    assert "Left out 0 nothing" in said
    assert "Approve and import 3 files" in said
    assert "1 source file without a place" in said
    assert "Junk" in said


def test_new_and_standing_containers_are_told_apart_in_words(uploader, job):
    page = uploader.get(url(job))
    assert names(page) == ["P01", "P02"]
    marks = re.findall(r'class="plan-mark"[^>]*>([^<]*)<', text(page))
    assert marks == ["= exists", "+ new"]
    inside = uploader.get(url(job, "plan-branch", at=opened(job, "session")[0]))
    assert re.findall(r'class="plan-mark"[^>]*>([^<]*)<', text(inside)) == ["+ new", "= exists"]


def test_a_branch_gives_what_lies_in_it(uploader, job):
    subject, session, acquisition = opened(job, "subject", "session", "acquisition")
    assert names(uploader.get(url(job, "plan-branch", at=subject))) == ["study 1"]
    assert names(uploader.get(url(job, "plan-branch", at=session))) == ["1 - t", "2 - t"]
    files = uploader.get(url(job, "plan-branch", at=acquisition))
    assert sorted(names(files)) == ["2 - t.dicom.zip", "same.txt"]
    assert "File already exists with other content" in shown(files)
    assert "3 source files, the first is P01/2/0001.dcm" in shown(files)


def test_without_script_branches_open_by_links(uploader, job):
    page = uploader.get(url(job), {"open": opened(job, "subject", "session", "acquisition")})
    assert names(page) == ["P01", "study 1", "1 - t", "2 - t", "2 - t.dicom.zip", "same.txt", "P02"]
    alone = uploader.get(url(job, at=opened(job, "session")[0]))
    assert names(alone) == ["1 - t", "2 - t"]
    assert re.findall(r"Whole plan|>P01<|>study 1<", text(alone)) == ["Whole plan", ">P01<", ">study 1<"]


@pytest.mark.parametrize(
    ("show", "subjects"),
    [("", ["P01", "P02"]), ("new", ["P01", "P02"]), ("conflicts", ["P01"]), ("skipped", ["P01"]), ("failed", [])],
)
def test_a_filter_leaves_only_what_it_is_about(uploader, job, show, subjects):
    assert names(uploader.get(url(job, show=show))) == subjects


@pytest.mark.parametrize(
    ("words", "subjects"), [("p02", ["P02"]), ("same", ["P01"]), ("P01/2/0003", ["P01"]), ("nothing like it", [])]
)
def test_a_search_finds_labels_and_source_paths(uploader, job, words, subjects):
    page = uploader.get(url(job, q=words))
    assert names(page) == subjects
    if not subjects:
        assert "Nothing in the plan matches" in shown(page)


def test_what_got_no_place_is_listed_with_its_reason(uploader, job):
    said = shown(uploader.get(url(job, "plan-branch", at="placeless")))
    assert ".DS_Store" in said
    assert "Junk: a file that an operating system leaves behind" in said


@pytest.mark.parametrize("at", ["subject:999999", "subject:x", "group:1", "subject", f"session:{'9' * 40}"])
def test_an_address_of_nothing_is_not_found(uploader, job, at):
    assert uploader.get(url(job, "plan-branch", at=at)).status_code == 404


def test_hostile_labels_come_out_escaped(uploader, project):
    job = make_job(project, status="planned", dry_run=True, discovered=1)
    placement = make_placement(
        job, outcome="planned", subject_label=HOSTILE, session_label=HOSTILE, acquisition_label=HOSTILE,
        file_name=HOSTILE, reason=HOSTILE,
    )  # fmt: skip
    make_item(job, placement=placement, path=HOSTILE)
    keys = [f"{level}:{placement.pk}" for level in ("subject", "session", "acquisition")]
    page = text(uploader.get(url(job), {"open": keys}))
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 5


def test_a_job_that_is_no_plan_is_shown_as_the_import_that_it_is(viewer, project):
    job = make_job(project)
    assert viewer.get(url(job))["Location"] == reverse("import", args=[job.pk])


def test_the_page_of_the_import_leads_to_its_plan(viewer, job):
    assert url(job) in text(viewer.get(reverse("import", args=[job.pk])))


# Pages of fifty, whose cost does not grow


def big(project, *, subjects, files=1):
    job = make_job(project, status="planned", dry_run=True, discovered=subjects * files)
    for number in range(subjects):
        for file in range(files):
            labels = {"subject_label": f"S{number:04}", "session_label": "V", "acquisition_label": "A"}
            row = make_placement(job, outcome="planned", first_seq=number * files + file, file_name=f"{file}", **labels)
            make_item(job, placement=row, seq=number * files + file)
    return job


def test_a_level_is_fifty_rows_and_the_next_ones_follow(uploader, project):
    job = big(project, subjects=120)
    first = uploader.get(url(job))
    assert len(names(first)) == 50
    more = re.search(r'hx-get="([^"]*after=\d+)"', text(first))[1].replace("&amp;", "&")
    second = uploader.get(more)
    assert names(second)[0] == "S0050"
    assert len(names(second)) == 50
    last = uploader.get(re.search(r'hx-get="([^"]*after=\d+)"', text(second))[1].replace("&amp;", "&"))
    assert names(last) == [f"S{number:04}" for number in range(100, 120)]
    assert "Show 50 more" not in text(last)


def test_files_are_fifty_to_a_page_too(uploader, project):
    job = big(project, subjects=1, files=70)
    at = f"acquisition:{Placement.objects.filter(job=job).order_by('pk')[0].pk}"
    first = uploader.get(url(job, "plan-branch", at=at))
    assert len(names(first)) == 50
    more = re.search(r'hx-get="([^"]*from=\d+)"', text(first))[1].replace("&amp;", "&")
    assert names(uploader.get(more)) == [str(number) for number in range(50, 70)]


def test_the_number_of_queries_does_not_grow_with_the_plan(uploader, project, django_assert_max_num_queries):
    small, large = big(project, subjects=3, files=2), big(project, subjects=40, files=3)
    for job in (small, large):
        with django_assert_max_num_queries(24):
            uploader.get(url(job))
        at = f"acquisition:{Placement.objects.filter(job=job).order_by('pk')[0].pk}"
        with django_assert_max_num_queries(12):
            uploader.get(url(job, "plan-branch", at=at))


# Choosing


def test_a_tick_by_script_changes_one_part_and_tells_what_is_above(uploader, job):
    one = Placement.objects.get(job=job, subject_label="P02", acquisition_label="2 - t")
    told = uploader.post(url(job, "plan-select"), {"key": f"file:{one.pk}", "show": "", "q": "", "on": ["all"]})
    assert json.loads(told["HX-Trigger"]) == {"plan-chosen": {"on": False, "above": ["off", "part", "part", "part"]}}
    assert "Files to import 2" in shown(told)
    assert "Left out 1" in shown(told)
    assert Placement.objects.get(deselected=True) == one
    again = uploader.post(url(job, "plan-select"), {"key": f"file:{one.pk}", "on": [f"file:{one.pk}"]})
    assert json.loads(again["HX-Trigger"])["plan-chosen"]["above"] == ["on", "on", "on", "on"]


def test_a_tick_on_a_branch_acts_on_what_the_filter_shows(uploader, job):
    [subject] = opened(job, "subject")
    uploader.post(url(job, "plan-select"), {"key": subject, "show": "conflicts"})
    assert [one.outcome for one in Placement.objects.filter(deselected=True)] == ["conflict"]
    uploader.post(url(job, "plan-select"), {"key": subject})
    assert Placement.objects.filter(deselected=True).count() == 2


def test_without_script_a_form_changes_only_what_was_changed_in_it(uploader, job):
    first, second = opened(job, "subject")[0], opened(job, "subject", subject="P02")[0]
    one = Placement.objects.get(job=job, subject_label="P02", acquisition_label="2 - t")
    deselect(job.pk, [one.pk], actor=None, who="system", now=timezone.now())
    said = {"shown": [f"{first} on", f"{second} part", f"file:{one.pk} off"], "on": [], "next": url(job)}
    answer = uploader.post(url(job, "plan-select"), said)
    assert answer["Location"] == url(job)
    left_out = Placement.objects.filter(job=job, deselected=True)
    assert set(left_out.values_list("subject_label", "acquisition_label")) == {
        ("P01", "1 - t"), ("P01", "2 - t"), ("P02", "2 - t"),
    }  # fmt: skip
    uploader.post(url(job, "plan-select"), {**said, "shown": [f"{first} off", f"{second} part"], "on": [first, second]})
    assert not Placement.objects.filter(deselected=True).exists()


def test_everything_is_left_out_by_one_box(uploader, job):
    told = uploader.post(url(job, "plan-select"), {"key": "all"})
    assert "Approve: nothing to import" in shown(told)
    assert json.loads(told["HX-Trigger"])["plan-chosen"]["above"] == ["off"]


def test_a_part_that_is_partly_chosen_says_so_in_words(uploader, job):
    one = Placement.objects.get(job=job, subject_label="P02", acquisition_label="2 - t")
    deselect(job.pk, [one.pk], actor=None, who="system", now=timezone.now())
    page = uploader.get(url(job))
    assert text(page).count("partly chosen</span>") == 1
    assert "1 left out" in shown(page)
    assert f'value="{opened(job, "subject", subject="P02")[0]} part"' in text(page)


def test_a_tick_on_what_is_not_there_is_refused(uploader, job):
    assert uploader.post(url(job, "plan-select"), {"key": "subject:999999"}).status_code == 409


# Approving


def test_an_approval_shows_the_import_as_it_goes_on(uploader, people, job):
    answer = uploader.post(url(job, "plan-approve"), {"expect": "0"})
    assert answer["Location"] == reverse("import", args=[job.pk])
    job.refresh_from_db()
    assert (job.status, job.approved_by) == ("planning", "user uploader@example.org")
    assert run(job).status == "needs_review"


def test_an_approval_of_an_older_plan_is_refused_in_words(uploader, job):
    ImportJob.objects.filter(pk=job.pk).update(approvals=1)
    answer = uploader.post(url(job, "plan-approve"), {"expect": "0"})
    assert answer.status_code == 409
    assert "look at it once more" in shown(answer)


def test_what_came_out_otherwise_shows_what_it_was_and_what_it_is(uploader, job, tmp_path):
    (tmp_path / "in" / "P02" / "1" / "0002.dcm").unlink()
    uploader.post(url(job, "plan-approve"), {"expect": "0"})
    run(job)
    page = uploader.get(url(job))
    assert "1 file came out otherwise than approved" in shown(page)
    assert "1 changed" in shown(page)
    assert names(uploader.get(url(job, show="changed"))) == ["P02"]
    at = key(job, "acquisition", subject_label="P02", acquisition_label="1 - t")
    inside = shown(uploader.get(url(job, "plan-branch", at=at, show="changed")))
    assert "Of its 3 source files 2 are as they were listed: the others changed or are gone." in inside
    assert "1 failed" in inside
    assert "1 file came out otherwise than approved" in shown(uploader.get(reverse("import", args=[job.pk])))


# CSV


def rows(response):
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode(), newline="")))


def test_the_plan_as_csv_has_a_row_for_each_file_and_its_files_add_up(viewer, job):
    one = Placement.objects.get(job=job, subject_label="P02", acquisition_label="2 - t")
    deselect(job.pk, [one.pk], actor=None, who="system", now=timezone.now())
    found = rows(viewer.get(url(job, "plan-report")))
    assert list(found[0]) == [
        "subject", "session", "acquisition", "file", "what", "reason", "files", "bytes", "source", "selected",
    ]  # fmt: skip
    assert sum(int(row["files"]) for row in found) == job.discovered == 14
    told = {(row["subject"], row["file"]): (row["what"], row["selected"], row["files"]) for row in found}
    assert told == {
        ("P01", "1 - t.dicom.zip"): ("new", "yes", "3"),
        ("P01", "2 - t.dicom.zip"): ("conflict", "yes", "3"),
        ("P01", "same.txt"): ("exists", "", "1"),
        ("P02", "1 - t.dicom.zip"): ("new", "yes", "3"),
        ("P02", "2 - t.dicom.zip"): ("new", "no", "3"),
        ("", ""): ("skip", "", "1"),
    }
    assert {row["source"] for row in found if row["what"] == "skip"} == {".DS_Store"}


def test_the_csv_says_new_version_where_the_strategy_makes_one(viewer, project, job, tmp_path):
    other = run(start(project, tmp_path / "in", dry_run=True, strategy="update"))
    found = {row["file"]: row["what"] for row in rows(viewer.get(url(other, "plan-report"))) if row["subject"] == "P01"}
    assert found["2 - t.dicom.zip"] == "new version"


def test_a_whole_project_level_is_chosen_apart_from_the_subjects(uploader, project):
    job = make_job(project, status="planned", dry_run=True, discovered=2)
    for level, label in (("project", ""), ("acquisition", "S")):
        row = make_placement(job, outcome="planned", level=level, subject_label=label, file_name=f"{level}.txt")
        make_item(job, placement=row)
    page = uploader.get(url(job))
    assert names(page) == ["S", "project.txt"]
    assert deselect(job.pk, Branch(Level.PROJECT), actor=None, who="system", now=timezone.now()) == 1
    assert "data-partly" not in text(uploader.get(url(job)))
