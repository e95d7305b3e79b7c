"""From the list of projects down to one element of a header, with script and without."""

import re

import pytest
from playwright.sync_api import expect

from hierarchy.tests.factories import make_acquisition, make_session, make_subject
from hierarchy.tests.stored import series, store_series

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def stored(project, places, tmp_path, settings):
    """A series of seven slices in lab/Brain."""
    settings.PRATIQUE_HOME = tmp_path / "home"
    subject = make_subject(project=project, label="S-01")
    session = make_session(subject=subject, label="Visit 1", accession_number="ACC-7")
    acquisition = make_acquisition(session=session, label="3 - T1w", uid="1.2.3.4")
    return store_series(series("98892003/MR700"), acquisition=acquisition, name="3 - T1w.dicom.zip")


def source(page):
    return page.locator("[data-slice-picture]").get_attribute("src")


def test_a_viewer_goes_down_to_a_slice_and_moves_through_the_stack(page, live_server, sign_in, stored):
    sign_in(page, "viewer")
    page.get_by_role("link", name="Projects", exact=True).click()
    for link in ("Brain", "S-01", "Visit 1"):
        page.get_by_role("link", name=link, exact=True).first.click()
    page.get_by_role("link", name="3 - T1w").click()
    expect(page.locator("[data-slice-words]")).to_have_text("4 of 7")
    expect(page.locator("[data-slice-picture]")).not_to_have_js_property("naturalWidth", 0)
    page.get_by_role("link", name="Next slice").click()
    expect(page.locator("[data-slice-words]")).to_have_text("5 of 7")
    assert "slice=4" in source(page)
    page.get_by_role("slider", name="Slice").press("Home")
    expect(page.locator("[data-slice-words]")).to_have_text("1 of 7")
    expect(page.locator("[data-slice-picture]")).to_have_attribute("src", re.compile("slice=0$"))
    assert page.url.endswith(f"/acquisitions/{stored.file.acquisition_id}/")
    expect(page.locator("[data-slice-step='-1']")).to_have_attribute("aria-disabled", "true")


def test_a_header_is_filtered_as_somebody_types(page, live_server, sign_in, stored):
    sign_in(page, "viewer")
    page.goto(f"{live_server.url}/files/{stored.file_id}/header")
    rows = page.locator("#header-table tbody tr:visible")
    before = rows.count()
    page.get_by_label("Part of a tag, name or value").press_sequentially("series inst")
    expect(rows).to_have_count(1)
    expect(page.locator("[data-filter-count]")).to_have_text(f"1 of {before}")


def test_a_file_is_found_by_its_accession_number_and_downloaded(page, live_server, sign_in, stored, places):
    sign_in(page, "viewer")
    page.goto(f"{live_server.url}/projects/")
    page.get_by_label("Search").fill("ACC-7")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Visit 1").click()
    page.get_by_role("link", name="3 - T1w").click()
    page.get_by_role("link", name="3 - T1w.dicom.zip", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    assert download.value.suggested_filename == "3 - T1w.dicom.zip"
    assert download.value.path().read_bytes() == (places.archive / stored.path).read_bytes()
    page.get_by_role("button", name="Copy path").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()


def test_everything_is_there_without_script(browser, live_server, people, stored):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_label("User name").fill("viewer")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{live_server.url}/acquisitions/{stored.file.acquisition_id}/")
    page.get_by_role("link", name="Slice before").click()
    expect(page.locator("[data-slice-words]")).to_have_text("3 of 7")
    assert "slice=2" in source(page)
    page.get_by_role("link", name="Header").click()
    page.get_by_label("Part of a tag, name or value").fill("SeriesInstanceUID")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#header-table tbody tr")).to_have_count(1)
    context.close()


def test_a_stranger_is_told_that_nothing_is_there(page, live_server, sign_in, stored):
    sign_in(page, "stranger")
    answer = page.request.get(f"{live_server.url}/files/{stored.file_id}/")
    assert answer.status == 404
    page.get_by_role("link", name="Projects", exact=True).click()
    expect(page.get_by_text("No project is open to you yet")).to_be_visible()
