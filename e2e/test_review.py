"""The review in a real browser, with the keyboard alone: find, compare, decide about many, take it back."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from importer.core.states import ConflictType
from importer.models import Decision
from importer.tests.pipeline.drive import imported, put
from importer.tests.review.cases import MAKE, waiting

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def wide(page):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.set_default_timeout(30_000)


@pytest.fixture
def queue(project, places, tmp_path):
    """One study under two names, and three plain files that stand there with other content."""
    MAKE[ConflictType.UID_PARENT](project, tmp_path)
    for content in (b"one", b"two"):
        for name in ("notes", "dose", "plan"):
            put(tmp_path / content.decode() / "S" / "V" / "A" / f"{name}.txt", content)
        imported(project, tmp_path / content.decode(), label="second delivery")


def tab_to(page, words):
    """Presses Tab until something of these words has the focus, which must show."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and words in (focused.inner_text() or ""):
            assert focused.evaluate("it => getComputedStyle(it).outlineStyle") != "none"
            return
    raise AssertionError(f"Tab never reaches {words}")


def sign_in(page, server):
    page.goto(f"{server.url}{reverse('sign-in')}")
    page.locator("#id_username").focus()
    page.keyboard.type("data_manager")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Dashboard")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_find_compare_decide_in_bulk_and_undo_with_the_keyboard_alone(page, live_server, people, queue):
    sign_in(page, live_server)
    tab_to(page, "Review")
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text("Review")
    expect(page.locator("[data-row]")).to_have_count(4)

    # Find.
    press(page, "/")
    page.keyboard.type(".txt")
    press(page, "Enter")
    expect(page.locator("[data-row]")).to_have_count(3)

    # Move, and hear where one is.
    press(page, "j", "j")
    expect(page.locator("#said")).to_contain_text("Row 2 of 3")
    expect(page.locator("[data-row]:focus-within")).to_have_count(1)
    assert page.locator(":focus").evaluate("it => getComputedStyle(it).outlineStyle") != "none"
    press(page, "k", "?")
    expect(page.locator("#keys")).to_be_visible()
    press(page, "Escape")
    expect(page.locator("#keys")).to_be_hidden()

    # Compare.
    press(page, "Enter")
    expect(page.locator("#compare-title")).to_be_visible()
    expect(page.locator(".sides-table")).to_contain_text("S/V/A/")
    press(page, "h")
    expect(page.locator("[data-before]")).to_be_visible()
    tab_to(page, "Review")
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text("Review")

    # Decide about all that match, after its summary.
    press(page, "/")
    page.keyboard.type(".txt")
    press(page, "Enter")
    expect(page.locator("[data-row]")).to_have_count(3)
    press(page, "j", "a")
    expect(page.locator("#said")).to_contain_text("All 3 files that match")
    press(page, "b")
    expect(page.locator("h1")).to_have_text("Keep all: 3 files")
    assert waiting().count() == 5
    press(page, "Enter")
    expect(page.locator("#last-act")).to_contain_text("3 files decided")
    assert waiting().count() == 2
    assert set(Decision.objects.values_list("action", flat=True)) == {"rename_incoming"}

    # Take it back.
    press(page, "z")
    expect(page.locator(".messages")).to_contain_text("Taken back: 3")
    expect(page.locator("[data-row]")).to_have_count(3)
    assert waiting().count() == 5


def test_a_row_is_decided_by_one_key_and_the_next_one_has_the_focus(page, live_server, people, queue):
    sign_in(page, live_server)
    page.goto(f"{live_server.url}{reverse('review')}?q=.txt")
    press(page, "j", "x")
    expect(page.locator("[data-row][data-chosen]")).to_have_count(1)
    press(page, "x", "m")
    expect(page.locator("#said")).to_contain_text("does not fit")
    press(page, "s")
    expect(page.locator("#last-act")).to_contain_text("1 file decided")
    expect(page.locator("[data-row]")).to_have_count(2)
    expect(page.locator("[data-row]:focus-within")).to_have_count(1)
    assert Decision.objects.get().action == "reject_incoming"


def test_a_letter_that_is_typed_into_a_field_decides_nothing(page, live_server, people, queue):
    sign_in(page, live_server)
    page.goto(f"{live_server.url}{reverse('review')}")
    press(page, "j", "/")
    page.keyboard.type("subarhz")
    expect(page.locator("[data-search]")).to_have_value("subarhz")
    assert Decision.objects.count() == 0
