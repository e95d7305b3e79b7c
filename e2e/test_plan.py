"""A plan in a real browser: preview, leave out, approve; the same without script."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from importer.models import ImportJob, Placement
from importer.tests.pipeline.drive import became, put, put_series, run, tree

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def wide(page):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.set_default_timeout(30_000)


@pytest.fixture
def source(project, places, tmp_path):
    for patient, study in (("P01", 1), ("P02", 2)):
        for series in (1, 2):
            said = {"patient": patient, "study": study, "series": series}
            put_series(tmp_path / "in" / patient / str(series), 2, **said, SeriesDescription="t")
    put(tmp_path / "in" / ".DS_Store")
    return tmp_path / "in"


def previewed(page, live_server, source):
    """Through the page, as an admin of the site does; the workers are this process."""
    page.goto(f"{live_server.url}{reverse('imports')}")
    page.get_by_role("link", name="New import").click()
    page.get_by_label("Source folder").fill(str(source))
    page.get_by_label("Project").select_option(label="lab/Brain")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("The plan is being made")).to_be_visible()
    return run(ImportJob.objects.latest("id"))


@pytest.fixture
def job(page, live_server, sign_in, source):
    sign_in(page, "site-admin")
    return previewed(page, live_server, source)


def tick(page, name):
    return page.get_by_label(f"Import {name}", exact=True)


def test_preview_deselect_approve(page, project, job):
    page.get_by_role("link", name="Look at the plan and approve").click()
    expect(page.locator("h1")).to_have_text("Plan of in")
    expect(page.get_by_role("button", name="Approve and import 4 files")).to_be_visible()
    assert tree(project) == {}

    # A level is loaded when it is opened.
    expect(page.get_by_text("study 2")).to_have_count(0)
    page.locator("summary", has_text="P02").click()
    page.locator("summary", has_text="study 2").click()
    page.locator("summary", has_text="2 - t").click()
    expect(page.get_by_text("2 - t.dicom.zip")).to_be_visible()

    # One file is left out: what is above it is partly chosen, and the sums follow.
    tick(page, "2 - t.dicom.zip").uncheck()
    expect(page.get_by_role("button", name="Approve and import 3 files")).to_be_visible()
    for name in ("P02", "study 2", "everything"):
        assert tick(page, name).evaluate("box => box.indeterminate")
    assert not tick(page, "2 - t").is_checked()
    assert tick(page, "P01").is_checked()

    # A whole branch, with the keyboard.
    tick(page, "P01").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Approve and import 1 file")).to_be_visible()
    assert Placement.objects.filter(deselected=True).count() == 3

    # What was chosen is so after a new look, too.
    page.reload()
    expect(page.get_by_role("button", name="Approve and import 1 file")).to_be_visible()
    assert tick(page, "P02").evaluate("box => box.indeterminate")
    assert not tick(page, "P01").is_checked()

    page.get_by_role("button", name="Approve and import 1 file").click()
    expect(page.get_by_text("Approved. The plan is made once more")).to_be_visible()
    run(job)
    expect(page.locator("#import-state")).to_have_text("Completed")
    assert list(tree(project)) == ["P02/study 2/1 - t/1 - t.dicom.zip"]
    assert list(became(job).values()).count("skipped") == 7


def test_a_plan_that_changed_shows_what_it_was_and_asks_again(page, live_server, project, source, job):
    (source / "P01" / "2" / "0001.dcm").unlink()
    page.goto(f"{live_server.url}{reverse('plan', args=[job.pk])}")
    page.get_by_role("button", name="Approve and import 4 files").click()
    run(job)
    expect(page.get_by_text("1 file came out otherwise than approved")).to_be_visible()
    page.get_by_role("link", name="See what it was and what it is now").click()
    for name in ("P01", "study 1", "2 - t"):
        page.locator("summary", has_text=name).click()
    expect(page.get_by_text("Of its 2 source files 1 are as they were listed")).to_be_visible()
    assert tree(project) == {}
    page.get_by_role("button", name="Approve and import 4 files").click()
    run(job)
    expect(page.locator("#import-state")).to_have_text("Completed")
    assert len(tree(project)) == 4


def test_not_now_cancels_the_plan(page, live_server, job):
    page.goto(f"{live_server.url}{reverse('plan', args=[job.pk])}")
    page.locator("summary", has_text="Not now: cancel").click()
    page.get_by_role("button", name="Cancel the plan").click()
    assert run(job).status == "cancelled"
    expect(page.locator("#import-state")).to_have_text("Cancelled")


def test_it_is_trimmed_and_approved_without_script(browser, live_server, people, project, source):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_label("User name").fill("site-admin")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    job = previewed(page, live_server, source)
    page.goto(f"{live_server.url}{reverse('plan', args=[job.pk])}")
    page.locator("summary", has_text="P02").click()
    page.get_by_role("link", name="Show what is in it").and_(page.locator(":visible")).click()
    expect(page.locator(".plan-crumbs")).to_contain_text("P02")
    page.get_by_label("Import study 2", exact=True).uncheck()
    page.get_by_role("button", name="Keep this choice").click()
    expect(page.get_by_role("button", name="Approve and import 2 files")).to_be_visible()
    page.get_by_role("link", name="Whole plan").click()
    expect(page.get_by_label("Import P02", exact=True)).not_to_be_checked()
    page.get_by_role("button", name="Approve and import 2 files").click()
    run(job)
    assert [path[:3] for path in tree(project)] == ["P01", "P01"]
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_runs_out_of_the_page(page, live_server, job, width, scheme):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    for address in (reverse("plan", args=[job.pk]), reverse("import-new"), reverse("import", args=[job.pk])):
        page.goto(f"{live_server.url}{address}")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
