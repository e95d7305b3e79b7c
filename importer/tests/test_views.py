import re
import shutil
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from importer.core.listed import identity
from importer.core.states import FINAL, JobStatus
from importer.models import ImportJob
from importer.tests.factories import START, make_conflict, make_event, make_item, make_job, make_placement, make_project
from storages.places import archive

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client, people):
    client.force_login(people.viewer)
    return client


@pytest.fixture
def uploader(client, people):
    client.force_login(people.uploader)
    return client


def page_of(job, name="import", **query):
    return reverse(name, args=[job.pk], query=query or None)


def text(response) -> str:
    return response.content.decode()


def paths(response) -> list[str]:
    return re.findall(r"MR1/\d{5}\.dcm", text(response))


# Who may


@pytest.mark.parametrize("name", ["imports", "import", "import-progress", "import-conflicts"])
def test_who_is_not_signed_in_is_asked_to(client, project, name):
    job = make_job(project)
    address = reverse(name, args=[] if name == "imports" else [job.pk])
    response = client.get(address)
    assert response.status_code == 302
    assert response["Location"].startswith(f"{reverse('sign-in')}?next={address}")


def test_after_signing_in_the_page_that_was_asked_for_opens(client, people, project):
    job = make_job(project)
    address = f"{reverse('sign-in')}?next={page_of(job)}"
    response = client.post(address, {"username": "viewer", "password": "correct horse", "next": page_of(job)})
    assert response["Location"] == page_of(job)


def test_a_wrong_password_is_answered_in_words(client, people):
    response = client.post(reverse("sign-in"), {"username": "viewer", "password": "wrong"})
    assert "do not belong together" in text(response)


def test_signing_out_leads_back_to_the_way_in(viewer):
    response = viewer.post(reverse("sign-out"))
    assert response["Location"] == reverse("sign-in")
    assert viewer.get(reverse("imports")).status_code == 302


@pytest.mark.parametrize(
    "name",
    [
        "import",
        "import-progress",
        "import-conflicts",
        "import-cancel",
        "import-rerun",
        "import-report",
        "import-conflict-report",
    ],
)
def test_to_a_stranger_an_import_of_the_project_does_not_exist(client, people, project, name):
    job = make_job(project)
    client.force_login(people.stranger)
    send = client.post if name in {"import-cancel", "import-rerun"} else client.get
    assert send(page_of(job, name)).status_code == 404


@pytest.mark.parametrize("name", ["item", "item-picture"])
def test_an_item_is_found_only_under_its_own_import(viewer, project, name):
    item = make_item(make_job(project))
    other = make_job(project)
    assert viewer.get(reverse(name, args=[other.pk, item.pk])).status_code == 404


def test_the_list_holds_only_imports_of_projects_that_the_reader_sees(viewer, project):
    make_job(project, label="mine")
    make_job(make_project("other/Secret"), label="hidden-from-here")
    response = text(viewer.get(reverse("imports")))
    assert "mine" in response
    assert "hidden-from-here" not in response


def test_a_viewer_sees_no_button_that_is_not_for_them(viewer, project):
    running = text(viewer.get(page_of(make_job(project, status=JobStatus.SCANNING))))
    ended = text(viewer.get(page_of(make_job(project))))
    assert "/cancel" not in running
    assert "/rerun" not in ended


def test_an_uploader_may_cancel_what_runs_and_repeat_what_ended(uploader, project):
    running = text(uploader.get(page_of(make_job(project, status=JobStatus.SCANNING))))
    ended = text(uploader.get(page_of(make_job(project))))
    assert "/cancel" in running
    assert "/rerun" not in running
    assert "/rerun" in ended
    assert "/cancel" not in ended


@pytest.mark.parametrize("name", ["import-cancel", "import-rerun"])
def test_a_viewer_who_posts_all_the_same_is_refused(viewer, project, name):
    job = make_job(project, status=JobStatus.SCANNING)
    response = viewer.post(page_of(job, name))
    assert response.status_code == 403
    assert "You need the role uploader" in text(response)


@pytest.mark.parametrize("name", ["import-cancel", "import-rerun"])
def test_nothing_changes_by_a_get(uploader, project, name):
    assert uploader.get(page_of(make_job(project), name)).status_code == 405


# Verbs


def test_cancelling_asks_the_import_to_stop_and_says_so(uploader, project):
    job = make_job(project, status=JobStatus.SCANNING)
    response = uploader.post(page_of(job, "import-cancel"))
    job.refresh_from_db()
    assert job.status in {JobStatus.CANCELLING, JobStatus.CANCELLED}
    assert response["Location"] == page_of(job)
    assert "being cancelled" in str(next(iter(get_messages(response.wsgi_request))))


def test_cancelling_what_has_ended_is_refused_with_a_sentence(uploader, project):
    response = uploader.post(page_of(make_job(project), "import-cancel"))
    assert response.status_code == 409
    assert "already ended" in text(response)


def test_running_again_leads_to_the_new_import(uploader, project, places, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    before = make_job(project, source_root=str(source), failed=1)
    response = uploader.post(page_of(before, "import-rerun"), {"what": "failed"})
    again = ImportJob.objects.latest("id")
    assert response["Location"] == page_of(again)
    assert (again.rerun_of, again.only_failed) == (before, True)


def test_only_what_failed_is_offered_where_something_failed(uploader, project):
    assert "Only what failed" in text(uploader.get(page_of(make_job(project, failed=1))))
    assert "Only what failed" not in text(uploader.get(page_of(make_job(project, imported=1))))


# The list


def test_an_empty_list_tells_an_admin_how_to_import_and_others_that_it_is_empty(client, people):
    client.force_login(people.site_admin)
    assert "import_folder FOLDER" in text(client.get(reverse("imports")))
    client.force_login(people.viewer)
    assert "import_folder" not in text(client.get(reverse("imports")))


def test_the_list_can_be_narrowed_to_a_status_and_a_project(client, people, project):
    make_job(project, label="good-one", imported=1)
    make_job(project, label="bad-one", status=JobStatus.FAILED)
    elsewhere = make_job(make_project("other/Place"), label="bad-elsewhere", status=JobStatus.FAILED)
    client.force_login(people.site_admin)
    failed = text(client.get(reverse("imports", query={"status": "failed", "project": project.pk})))
    assert "bad-one" in failed
    assert "good-one" not in failed
    assert elsewhere.label not in failed


def test_the_list_goes_on_where_the_page_before_ended(viewer, project):
    jobs = [make_job(project) for _ in range(120)]
    seen, address = [], reverse("imports")
    while address:
        response = viewer.get(address)
        seen += [row["job"].pk for row in response.context["jobs"]]
        address = response.context["page"].next_url
    assert seen == [job.pk for job in reversed(jobs)]


def test_the_next_page_keeps_the_filter(viewer, project):
    for _ in range(51):
        make_job(project, status=JobStatus.FAILED)
    response = viewer.get(reverse("imports", query={"status": "failed"}))
    assert "status=failed" in response.context["page"].next_url


@pytest.mark.parametrize("query", ["status=nonsense", "project=x", "before=-1", "before=%C2%B2", "before=" + "9" * 40])
def test_nonsense_in_the_address_of_the_list_is_no_error(viewer, project, query):
    make_job(project)
    assert viewer.get(f"{reverse('imports')}?{query}").status_code == 200


@pytest.mark.parametrize("jobs", [1, 60])
def test_the_list_asks_the_database_a_fixed_number_of_times(viewer, project, jobs, django_assert_max_num_queries):
    for _ in range(jobs):
        make_job(project, imported=3)
    with django_assert_max_num_queries(8):
        viewer.get(reverse("imports"))


# One import


@pytest.mark.parametrize("status", list(JobStatus))
def test_every_state_has_a_page_in_words(uploader, project, status):
    job = make_job(project, status=status, imported=2, pause_reason="The archive is full", paused_from="transferring")
    response = uploader.get(page_of(job))
    assert response.status_code == 200
    assert status.value not in re.findall(r'class="badge"[^>]*>([^<]*)<', text(response))


def test_the_counts_on_the_page_add_up_to_what_was_found(viewer, project):
    job = make_job(project, imported=1171, skipped=14, conflict=176, failed=3, cancelled=2)
    values = [
        int(number.replace(",", "")) for number in re.findall(r'tally-value">([\d,]+)<', text(viewer.get(page_of(job))))
    ]
    assert values == [1366, 1171, 14, 176, 3, 2]


def test_while_it_runs_what_is_left_to_do_is_counted_too(viewer, project):
    job = make_job(project, status=JobStatus.TRANSFERRING, discovered=10, imported=4)
    shares = viewer.get(page_of(job)).context["progress"].shares
    assert [share.count for share in shares] == [4, 0, 0, 0, 0, 6]


def test_a_running_import_is_polled_and_an_ended_one_is_not(viewer, project):
    running = make_job(project, status=JobStatus.TRANSFERRING)
    ended = make_job(project)
    assert f'hx-get="{page_of(running, "import-progress")}"' in text(viewer.get(page_of(running)))
    assert page_of(ended, "import-progress") not in text(viewer.get(page_of(ended)))


def test_the_last_poll_brings_the_new_state_and_tells_the_page_that_it_has_ended(uploader, project):
    job = make_job(project, imported=5)
    response = uploader.get(page_of(job, "import-progress"))
    assert response["HX-Trigger"] == "ended"
    assert "hx-get" not in text(response)
    assert 'id="import-state" hx-swap-oob="true"' in text(response)
    assert "/rerun" in text(response)


def test_a_dry_run_that_waits_for_approval_is_not_polled(viewer, project):
    job = make_job(project, status=JobStatus.PLANNED, dry_run=True, scan_done=True)
    assert page_of(job, "import-progress") not in text(viewer.get(page_of(job)))
    assert viewer.get(page_of(job, "import-progress"))["HX-Trigger"] == "ended"


def test_a_poll_in_between_asks_for_the_next(viewer, project):
    response = viewer.get(page_of(make_job(project, status=JobStatus.SCANNING), "import-progress"))
    assert "HX-Trigger" not in response
    assert "every 2s" in text(response)


def test_a_paused_import_says_why_and_when_it_goes_on(viewer, project):
    job = make_job(project, status=JobStatus.PAUSED, paused_from="transferring", pause_reason="No space left")
    page = text(viewer.get(page_of(job)))
    assert "Paused: No space left" in page
    assert (START + timedelta(minutes=5)).strftime("%H:%M:%S") in page


def test_the_steps_stop_where_the_import_was_paused(viewer, project):
    job = make_job(project, status=JobStatus.PAUSED, paused_from="transferring", bytes_planned=100, bytes_moved=25)
    stages = viewer.get(page_of(job)).context["progress"].stages
    assert [stage.state for stage in stages] == ["done", "done", "done", "waiting", "next"]
    assert stages[3].share == 0.25


def test_what_conflicts_is_listed_with_level_and_reason(viewer, project):
    job = make_job(project, status=JobStatus.NEEDS_REVIEW, conflict=1)
    make_conflict(job, level="session", type="label_is_missing", upload_path="?/BRAIN")
    for name in ("import", "import-conflicts"):
        page = text(viewer.get(page_of(job, name)))
        assert "?/BRAIN" in page
        assert "Nobody says where it goes" in page
        assert '<td data-label="Level">session</td>' in page


def test_reasons_are_grouped_and_counted_through_items_and_placements(viewer, project):
    job = make_job(project, status=JobStatus.NEEDS_REVIEW, conflict=3, skipped=2)
    held = make_placement(job, outcome="conflict", reason="File already exists")
    for _ in range(3):
        make_item(job, placement=held)
    make_item(job, placement=held, outcome="skipped", reason="Duplicate instance")
    make_item(job, outcome="skipped", reason="Junk")
    make_item(job, outcome="imported")
    found = [(one.outcome, one.reason, one.count) for one in viewer.get(page_of(job)).context["reasons"]]
    assert found == [
        ("conflict", "File already exists", 3),
        ("skipped", "Duplicate instance", 1),
        ("skipped", "Junk", 1),
    ]


def test_files_can_be_narrowed_to_an_outcome_whether_own_or_of_the_placement(viewer, project):
    job = make_job(project, failed=2, imported=1)
    make_item(job, path="MR1/00001.dcm")
    make_item(job, path="MR1/00002.dcm", outcome="failed", reason="Unreadable")
    make_item(job, path="MR1/00003.dcm", placement=make_placement(job, outcome="failed", reason="Poison"))
    assert paths(viewer.get(page_of(job, outcome="failed"))) == ["MR1/00002.dcm", "MR1/00003.dcm"]
    assert paths(viewer.get(page_of(job, outcome="failed", reason="Poison"))) == ["MR1/00003.dcm"]


def test_files_can_be_searched_by_a_part_of_their_path(viewer, project):
    job = make_job(project, imported=2)
    make_item(job, path="MR1/00001.dcm")
    make_item(job, path="MR1/00020.dcm")
    assert paths(viewer.get(page_of(job, q="0002"))) == ["MR1/00020.dcm"]


def test_files_go_on_where_the_page_before_ended(viewer, project):
    job = make_job(project, imported=120)
    items = [make_item(job, seq=2 * number, path=f"MR1/{number:05}.dcm") for number in range(120)]
    seen, address = [], page_of(job)
    while address:
        response = viewer.get(address)
        seen += paths(response)
        address = response.context["page"].next_url
    assert seen == [item.path for item in items]


@pytest.mark.parametrize("query", ["outcome=nonsense", "after=x", "after=99999999999999999999", "q=%00", "reason=%00"])
def test_nonsense_in_the_address_of_an_import_is_no_error(viewer, project, query):
    job = make_job(project, imported=1)
    make_item(job)
    assert viewer.get(f"{page_of(job)}?{query}").status_code == 200


def test_names_from_outside_are_escaped_and_their_control_characters_spelled_out(viewer, project):
    job = make_job(project, label="<script>a</script>\u202e", failed=1, source_root="/in\n<b>")
    make_item(job, path="od\nd<img src=x>\u202egnp.exe", outcome="failed", reason="Bad <i>")
    make_event(job, what="paused", detail="<u>\x07")
    page = text(viewer.get(page_of(job)))
    assert "<script>a" not in page
    assert "<img src=x" not in page
    assert "<i>" not in page
    assert "<u>" not in page
    assert "od\\nd&lt;img src=x&gt;\\u202egnp.exe" in page
    assert "\u202e" not in page
    assert "\x07" not in page


@pytest.mark.parametrize("items", [2, 200])
def test_an_import_asks_the_database_a_fixed_number_of_times(viewer, project, items, django_assert_max_num_queries):
    job = make_job(project, status=JobStatus.NEEDS_REVIEW, conflict=items)
    for _ in range(items):
        make_item(job, placement=make_placement(job, outcome="conflict", reason="File already exists"))
        make_item(job, placement=make_placement(job))
        make_event(job)
    make_conflict(job)
    make_conflict(job)
    with django_assert_max_num_queries(10):
        viewer.get(page_of(job))


@pytest.mark.parametrize("items", [2, 200])
def test_a_poll_costs_the_same_however_large_the_import(viewer, project, items, django_assert_max_num_queries):
    job = make_job(project, status=JobStatus.TRANSFERRING, discovered=items)
    for _ in range(items):
        make_item(job)
    with django_assert_max_num_queries(5) as asked:
        viewer.get(page_of(job, "import-progress"))
    assert not any("importer_item" in query["sql"] for query in asked.captured_queries)


def test_every_final_state_says_how_long_it_took(viewer, project):
    for status in FINAL:
        assert "1 min" in text(viewer.get(page_of(make_job(project, status=status, imported=1))))


# Reports


@pytest.mark.parametrize(
    ("name", "ending", "kind"),
    [
        ("import-report", "csv", "text/csv"),
        ("import-report", "jsonl", "application/jsonl"),
        ("import-conflict-report", "csv", "text/csv"),
        ("import-conflict-report", "jsonl", "application/jsonl"),
    ],
)
def test_a_report_is_streamed_as_a_download_with_a_name(viewer, project, name, ending, kind):
    job = make_job(project, status=JobStatus.NEEDS_REVIEW, conflict=1)
    held = make_placement(job, outcome="conflict", reason="File already exists")
    make_item(job, placement=held, path="MR1/00001.dcm")
    make_conflict(job, placement=held)
    response = viewer.get(page_of(job, name, format=ending))
    assert response.streaming
    assert response["Content-Type"].startswith(kind)
    assert re.fullmatch(rf'attachment; filename="import-{job.pk}-\w+\.{ending}"', response["Content-Disposition"])
    assert response.getvalue().count(b"\n") == (2 if ending == "csv" else 1)


def test_a_report_in_a_format_that_there_is_not_is_not_found(viewer, project):
    assert viewer.get(page_of(make_job(project), "import-report", format="xlsx")).status_code == 404


# Pictures


def dicom_image(study):
    return next(path for path in sorted(study.rglob("*")) if path.is_file())


def on_disk(root, file) -> dict:
    found = file.stat()
    path, inode = file.relative_to(root).as_posix(), identity(found)
    return {"path": path, "size": found.st_size, "mtime_ns": found.st_mtime_ns, "inode": inode}


def test_a_file_without_pixels_has_a_picture_that_says_so(viewer, project, tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    found = on_disk(tmp_path, tmp_path / "notes.txt")
    item = make_item(make_job(project, imported=1, source_root=str(tmp_path)), **found)
    response = viewer.get(reverse("item-picture", args=[item.job_id, item.pk]))
    assert response["Content-Type"] == "image/svg+xml"
    assert "not DICOM" in text(response)


def test_a_picture_comes_from_the_source_as_long_as_nothing_else_has_the_bytes(viewer, project, dicom_study):
    job = make_job(project, failed=1, source_root=str(dicom_study))
    item = make_item(job, **on_disk(dicom_study, dicom_image(dicom_study)), outcome="failed", reason="Poison")
    response = viewer.get(reverse("item-picture", args=[job.pk, item.pk]))
    assert response["Content-Type"] == "image/png"
    assert response.content.startswith(b"\x89PNG")


def test_what_lies_at_the_source_by_now_is_not_shown_in_place_of_what_was_imported(viewer, project, dicom_study):
    image = dicom_image(dicom_study)
    item = make_item(make_job(project, failed=1, source_root=str(dicom_study)), **on_disk(dicom_study, image))
    other = next(path for path in sorted(dicom_study.rglob("*")) if path.is_file() and path != image)
    shutil.copyfile(other, image)
    response = viewer.get(reverse("item-picture", args=[item.job_id, item.pk]))
    assert response["Content-Type"] == "image/svg+xml"


def test_a_link_at_the_source_is_never_followed_for_a_picture(viewer, project, dicom_study, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "link.dcm").symlink_to(dicom_image(dicom_study))
    found = on_disk(source, source / "link.dcm")
    item = make_item(make_job(project, skipped=1, source_root=str(source)), **found, outcome="skipped")
    assert "image/svg" in viewer.get(reverse("item-picture", args=[item.job_id, item.pk]))["Content-Type"]


def test_the_page_of_a_file_shows_its_header_as_a_table(viewer, project, dicom_study):
    job = make_job(project, imported=1, source_root=str(dicom_study))
    item = make_item(job, **on_disk(dicom_study, dicom_image(dicom_study)), sop_uid="1.2.3")
    page = text(viewer.get(reverse("item", args=[job.pk, item.pk])))
    assert "SeriesInstanceUID" in page
    assert 'data-filters="header-rows"' in page


def test_the_page_of_a_file_leads_to_the_one_before_and_the_one_after(viewer, project):
    job = make_job(project, imported=3, source_root="/nowhere")
    first, middle, last = (make_item(job) for _ in range(3))
    make_item(make_job(project, imported=1))

    def neighbours(item) -> list[str]:
        page = text(viewer.get(reverse("item", args=[job.pk, item.pk])))
        return re.findall(r'rel="(?:prev|next)" href="([^"]+)"', page)

    assert neighbours(middle) == [reverse("item", args=[job.pk, other.pk]) for other in (first, last)]
    assert neighbours(first) == neighbours(last) == [reverse("item", args=[job.pk, middle.pk])]


def test_a_file_whose_bytes_are_gone_still_has_its_page(viewer, project, places):
    item = make_item(make_job(project, imported=1, source_root="/nowhere"), sop_uid="1.2.3")
    page = text(viewer.get(reverse("item", args=[item.job_id, item.pk])))
    assert "No header to show" in page
    assert not archive().exists(item.path)


# Every page


@pytest.fixture
def all_pages(project):
    job = make_job(project, status=JobStatus.NEEDS_REVIEW, conflict=1, imported=1)
    make_conflict(job)
    item = make_item(job)
    running = make_job(project, status=JobStatus.SCANNING)
    return [
        reverse("sign-in"),
        reverse("dashboard"),
        reverse("batches"),
        reverse("imports"),
        page_of(job),
        page_of(running),
        page_of(job, "import-conflicts"),
        reverse("item", args=[job.pk, item.pk]),
        "/imports/987654321/",
    ]


def test_every_page_forbids_inline_code_and_has_none(uploader, all_pages):
    for address in all_pages:
        response = uploader.get(address, follow=True)
        assert "default-src 'self'" in response["Content-Security-Policy"], address
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text(response)), address


def test_every_page_has_one_title_one_main_heading_and_a_way_to_its_content(uploader, all_pages):
    for address in all_pages:
        page = text(uploader.get(address, follow=True))
        assert re.search(r"<title>\s*\S.* · Pratique</title>", page), address
        assert page.count("<h1") == 1, address
        assert 'href="#main"' in page, address


def test_every_column_of_every_table_has_a_header(uploader, all_pages):
    for address in all_pages:
        page = text(uploader.get(address, follow=True))
        for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
            head, _, body = table.partition("</thead>")
            row = re.search(r"<tr.*?</tr>", body, re.DOTALL)
            assert head.count('<th scope="col"') == len(re.findall(r"<t[dh]\b", row.group())), address


def test_every_id_on_a_page_is_there_once(uploader, all_pages):
    for address in all_pages:
        ids = re.findall(r'\sid="([^"]+)"', text(uploader.get(address, follow=True)))
        assert len(ids) == len(set(ids)), address
