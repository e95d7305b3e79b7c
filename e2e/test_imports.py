import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import expect

from importer.core.states import JobStatus
from importer.models import ImportJob
from importer.tests.factories import make_conflict, make_event, make_item, make_job, make_placement
from watcher.tests.factories import make_batch, make_drop_folder, make_watch

pytestmark = pytest.mark.slow

LONG = "x" * 120


@pytest.fixture
def running(project):
    return make_job(project, status=JobStatus.TRANSFERRING, discovered=10, imported=4, bytes_planned=10, bytes_moved=4)


def open_import(page, live_server, job) -> None:
    page.goto(f"{live_server.url}/imports/{job.pk}/")


def test_whoever_signs_in_sees_what_is_delivered_and_imported(page, sign_in, project):
    make_watch(beat_at=timezone.now())
    make_batch(make_drop_folder(name="scanner"), job=make_job(project, imported=1, label="ST-000001"))
    sign_in(page, "viewer")
    expect(page.get_by_role("link", name="scanner").first).to_be_visible()
    expect(page.get_by_role("link", name="ST-000001").first).to_be_visible()
    expect(page.get_by_text("The watcher runs on")).to_be_visible()


def test_an_import_that_ends_says_so_on_its_open_page_without_a_reload(page, sign_in, live_server, running):
    sign_in(page, "uploader")
    open_import(page, live_server, running)
    expect(page.locator("#import-state")).to_have_text("Moving files")
    page.evaluate("document.body.dataset.same = 'yes'")
    make_item(running, path="MR1/late.dcm")
    ImportJob.objects.filter(pk=running.pk).update(
        status=JobStatus.COMPLETED, imported=10, finished_at=timezone.now(), scan_done=True
    )
    expect(page.locator("#import-state")).to_have_text("Completed", timeout=10_000)
    expect(page.get_by_text("Run again")).to_be_visible()
    expect(page.get_by_role("link", name="MR1/late.dcm")).to_be_visible()
    expect(page.locator("[data-poll]")).to_have_count(0)
    assert page.evaluate("document.body.dataset.same") == "yes"


def test_a_page_whose_reader_was_signed_out_asks_to_sign_in_again(page, sign_in, live_server, running):
    sign_in(page, "viewer")
    open_import(page, live_server, running)
    Session.objects.all().delete()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=10_000)
    assert f"next=/imports/{running.pk}/" in page.url


def test_a_page_says_so_when_the_server_does_not_answer_and_goes_on_when_it_does(
    page, sign_in, live_server, running, complaints
):
    sign_in(page, "viewer")
    open_import(page, live_server, running)
    warning = page.get_by_text("The server does not answer")
    expect(warning).to_be_hidden()
    page.route("**/progress", lambda route: route.abort())
    expect(warning).to_be_visible(timeout=10_000)
    page.unroute("**/progress")
    expect(warning).to_be_hidden(timeout=10_000)
    complaints.clear()


def test_a_tab_that_nobody_looks_at_rests_and_asks_at_once_when_somebody_does(page, sign_in, live_server, running):
    sign_in(page, "viewer")
    page.clock.install()
    open_import(page, live_server, running)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/progress" in request.url else None)
    page.evaluate("window.away = true; Object.defineProperty(document, 'hidden', {get: () => window.away})")
    for _ in range(15):
        page.clock.run_for(2_000)
    assert len(asked) == 1
    with page.expect_request("**/progress"):
        page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_running_import_is_cancelled_by_two_clicks(page, sign_in, live_server, running):
    sign_in(page, "uploader")
    open_import(page, live_server, running)
    page.locator("summary", has_text="Cancel").click()
    page.get_by_role("button", name="Cancel the import").click()
    expect(page.get_by_text("The import is being cancelled")).to_be_visible()
    assert ImportJob.objects.get(pk=running.pk).status in {JobStatus.CANCELLING, JobStatus.CANCELLED}


def test_the_files_of_an_import_are_narrowed_without_leaving_the_page(page, sign_in, live_server, project):
    job = make_job(project, imported=1, failed=1)
    make_item(job, path="good.dcm")
    make_item(job, path="bad.dcm", outcome="failed", reason="Unreadable")
    sign_in(page, "viewer")
    open_import(page, live_server, job)
    page.evaluate("document.body.dataset.same = 'yes'")
    page.get_by_label("Outcome").select_option("Failed")
    expect(page.get_by_role("link", name="good.dcm")).to_have_count(0)
    expect(page.get_by_role("link", name="bad.dcm")).to_be_visible()
    assert "outcome=failed" in page.url
    assert page.evaluate("document.body.dataset.same") == "yes"


def test_nothing_is_wider_than_a_phone(page, sign_in, live_server, project):
    folder = make_drop_folder(name=LONG[:60], path=f"/data/{LONG}")
    job = make_job(project, status=JobStatus.NEEDS_REVIEW, label=LONG, conflict=1, imported=1)
    item = make_item(job, placement=make_placement(job, session_label="y" * 60), path=f"{LONG}/{LONG}.dcm")
    make_conflict(job, upload_path=f"{LONG}/{LONG}")
    make_event(job, detail=LONG)
    batch = make_batch(folder, job=job, label=LONG)
    settling = [{"name": LONG, "since": None, "why": LONG}]
    make_watch(beat_at=timezone.now(), host=LONG, roots={folder: {"settling": settling, "loose": [LONG]}})
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, "viewer")
    for path in (
        "/",
        f"/drop-folders/{folder.pk}/",
        "/batches/",
        f"/batches/{batch.pk}/",
        "/imports/",
        f"/imports/{job.pk}/",
        f"/imports/{job.pk}/conflicts/",
        f"/imports/{job.pk}/items/{item.pk}/",
    ):
        page.goto(f"{live_server.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def background(page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_theme_follows_the_system_until_somebody_chooses_and_the_choice_is_kept(page, sign_in, live_server):
    sign_in(page, "viewer")
    light = background(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert light != dark
    page.get_by_role("button", name="Theme: as the system").click()
    assert background(page) == light
    page.goto(f"{live_server.url}/imports/")
    assert background(page) == light
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()


def test_the_first_tab_leads_past_the_navigation(page, sign_in):
    sign_in(page, "viewer")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_without_script_an_import_can_be_found_narrowed_and_cancelled(browser, sign_in, live_server, running):
    make_item(running, path="bad.dcm", outcome="failed", reason="Unreadable")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, "uploader")
    page.get_by_role("link", name=running.label).click()
    page.get_by_label("Outcome").select_option("Failed")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="bad.dcm")).to_be_visible()
    page.locator("summary", has_text="Cancel").click()
    page.get_by_role("button", name="Cancel the import").click()
    expect(page.get_by_text("The import is being cancelled")).to_be_visible()
    context.close()
