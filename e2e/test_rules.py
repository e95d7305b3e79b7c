"""Writing rules in a real browser: mistakes where they are, real files, rules from names."""

import shutil

import pytest
from playwright.sync_api import expect

from conftest import shipped_dicom
from importer.models import RuleSample, RuleSet

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]

DICOM = "- name: Images\n  type: dicom\n"
BROKEN = DICOM + "- name: Notes\n  inculde: ext=txt\n  level: project\n"
FOLDERS = [f"{visit}/{who}/{scan}" for visit in ("A", "B") for who in ("one", "two", "six") for scan in ("x", "y")]
NAMES = "\n".join(f"{folder}/{n}.nii" for folder in FOLDERS for n in (1, 2))


@pytest.fixture(autouse=True)
def wide(page):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.set_default_timeout(30_000)


@pytest.fixture
def tester(page, sign_in, live_server):
    """The page for trying, opened by a viewer."""
    sign_in(page, "viewer")
    page.goto(f"{live_server.url}/rule-sets/try")
    expect(page.locator(".try").first).to_be_visible()
    return page


def write(page, text):
    page.locator("#rules-text").fill(text)


def place(page, path):
    return page.locator(".try", has_text=path).first.locator(".try-place")


def test_a_mistake_is_marked_at_its_line_and_gone_when_it_is_corrected(tester):
    expect(place(tester, "README.txt")).not_to_contain_text("the project")
    write(tester, BROKEN)
    expect(tester.locator("#problems")).to_contain_text("1 mistake")
    expect(tester.locator("#problems a")).to_have_text("Line 4, column 3")
    expect(tester.locator("[data-code-lines] [data-bad]")).to_have_text("4")
    expect(tester.locator("[data-code-under] mark")).to_have_text("inculde: ext=txt")
    expect(tester.locator("#results")).to_have_class("results stale")
    write(tester, BROKEN.replace("inculde", "include"))
    expect(tester.locator("#problems")).to_contain_text("2 rules, no mistake")
    expect(tester.locator("[data-code-under] mark")).to_have_count(0)
    expect(place(tester, "README.txt")).to_contain_text("the project / README.txt")
    expect(tester.locator("#results")).to_have_class("results")


def test_the_link_of_a_mistake_puts_the_cursor_there(tester):
    write(tester, BROKEN)
    tester.get_by_role("link", name="Line 4, column 3").click()
    expect(tester.locator("#rules-text")).to_be_focused()
    at = tester.locator("#rules-text").evaluate("it => it.selectionStart")
    assert BROKEN[at:].startswith("inculde")


def test_ctrl_enter_checks_at_once_and_an_opened_row_stays_open(tester):
    row = tester.locator(".try details").first
    row.locator("summary").click()
    expect(row.locator(".whys")).to_contain_text("takes the file")
    with tester.expect_response(lambda answer: answer.url.endswith("/rule-sets/check")) as asked:
        tester.locator("#rules-text").press("Control+Enter")
    assert asked.value.status == 200
    expect(tester.locator("#said")).to_have_text("The sample was tried again.")
    expect(tester.locator(".try details").first.locator(".whys")).to_be_visible()


def test_only_what_was_not_taken_is_shown_on_request(tester):
    write(tester, DICOM)
    expect(tester.locator(".try", has_text="localizer")).to_be_visible()
    tester.get_by_label("Not taken only").check()
    expect(tester.locator(".try", has_text="localizer")).to_have_count(0)
    expect(place(tester, "README.txt")).to_contain_text("Not DICOM")


def test_real_images_are_tried_and_only_their_owner_has_them(tester, tmp_path):
    image = tmp_path / "scan.dcm"
    shutil.copyfile(shipped_dicom() / "MR_small.dcm", image)
    write(tester, DICOM.replace("Images", "Mine"))
    tester.get_by_label("Files", exact=True).set_input_files([image])
    tester.get_by_role("button", name="Use these files").click()
    expect(tester.locator(".try")).to_have_count(1)
    expect(place(tester, "scan.dcm")).to_contain_text("4MR1")
    expect(tester.locator("#rules-text")).to_have_value(DICOM.replace("Images", "Mine"))
    assert RuleSample.objects.get().owner.username == "viewer"
    tester.locator("summary", has_text="Try your own files").click()
    tester.get_by_role("button", name="Forget this sample now").click()
    expect(tester.locator("#sample")).to_have_value("")
    assert not RuleSample.objects.exists()


def test_a_folder_keeps_its_names(tester, dicom_study):
    with tester.expect_file_chooser() as asked:
        tester.get_by_role("button", name="Choose a folder").click()
    asked.value.set_files(dicom_study)
    expect(tester.locator("[data-uploads-said]")).to_have_text("17 chosen.")
    tester.get_by_role("button", name="Use these files").click()
    expect(tester.locator(".try-path", has_text="98892003/MR700/4467")).to_be_visible()


def test_pages_of_a_sample_turn_without_leaving_the_text(tester):
    tester.locator("#sample-paths").fill("\n".join(f"{n:03}.txt" for n in range(70)))
    tester.get_by_role("button", name="Use these paths").click()
    expect(tester.locator(".try")).to_have_count(50)
    tester.get_by_role("button", name="Next 50").click()
    expect(tester.locator(".try")).to_have_count(20)
    expect(tester.locator(".try-path").first).to_have_text("050.txt")


def test_what_is_written_is_saved_and_a_second_writer_is_warned(page, sign_in, live_server, project):
    sign_in(page, "data_manager")
    page.goto(f"{live_server.url}/rule-sets/new")
    page.get_by_label("Name").fill("weekly")
    write(page, DICOM)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("h1")).to_have_text("weekly")
    page.get_by_role("link", name="Edit and try").click()
    other = page.context.new_page()
    other.goto(page.url)
    for one, text in ((page, DICOM + "# one\n"), (other, DICOM + "# two\n")):
        write(one, text)
        one.get_by_role("button", name="Save as version 2").click()
    expect(page.get_by_text("Saved as version 2.")).to_be_visible()
    expect(other.get_by_text("Somebody saved version 2 meanwhile")).to_be_visible()
    expect(other.locator("#rules-text")).to_have_value(DICOM + "# two\n")
    assert RuleSet.objects.get(project=project).version == 2


def test_names_propose_rules_that_an_example_corrects_and_the_editor_tries(page, sign_in, live_server, project):
    sign_in(page, "data_manager")
    page.goto(f"{live_server.url}/rule-sets/from-names")
    page.locator("#names-paths").fill(NAMES)
    page.get_by_role("button", name="Propose rules").click()
    said, other = "A/one/x/1.nii", "B/two/y/1.nii"
    expect(page.get_by_label(f"Subject of {said}").first).to_have_value("one")
    page.get_by_label(f"Subject of {said}").first.fill("A")
    page.get_by_label(f"Session of {said}").first.fill("one")
    page.get_by_role("button", name="Propose again").first.click()
    expect(page.get_by_text("You said")).to_be_visible()
    expect(page.get_by_label(f"Subject of {other}").first).to_have_value("B")
    expect(page.get_by_label(f"Session of {other}").first).to_have_value("two")
    page.get_by_role("button", name="Use these rules").first.click()
    expect(page.locator("h1")).to_have_text("New rule set")
    expect(page.locator(".try")).to_have_count(24)
    expect(place(page, said)).to_contain_text("A / one / x / 1.nii")


def test_all_of_it_works_without_script(browser, live_server, people):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/sign-in/?next=/rule-sets/try")
    page.get_by_label("User name").fill("viewer")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    write(page, BROKEN)
    page.get_by_role("button", name="Check").last.click()
    expect(page.locator("#problems")).to_contain_text("Line 4, column 3")
    expect(page.get_by_text("Correct the rules first")).to_be_visible()
    write(page, BROKEN.replace("inculde", "include"))
    page.get_by_label("Not taken only").check()
    page.get_by_role("button", name="Check").last.click()
    expect(page.locator("#problems")).to_contain_text("no mistake")
    expect(page.locator(".try", has_text="consent.pdf")).to_be_visible()
    page.locator("#sample-paths").fill("\n".join(f"{n:03}.pdf" for n in range(60)))
    page.get_by_role("button", name="Use these paths").click()
    page.get_by_role("button", name="Next 50").click()
    expect(page.locator(".try")).to_have_count(10)
    context.close()
