"""Storages in a real browser: made, tested at once, looked into like a tree; a folder here and a bucket of S3."""

import re
from ipaddress import ip_network

import boto3
import pytest
from django.urls import reverse
from playwright.sync_api import expect

from scripts import private_stores
from storages.models import ExternalStorage, StorageProvider

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def wide(page, settings, people, places):
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    page.set_viewport_size({"width": 1440, "height": 900})
    page.set_default_timeout(30_000)


@pytest.fixture(scope="module")
def s3():
    with private_stores.juicefs() as endpoint:
        client = boto3.client(
            "s3", endpoint_url=endpoint, aws_access_key_id=private_stores.ACCESS_KEY,
            aws_secret_access_key=private_stores.SECRET_KEY, region_name="us-east-1",
        )  # fmt: skip
        client.create_bucket(Bucket="scans")
        for key in ("site-07/2024/ST-1/IM1.dcm", "site-07/2024/ST-1/IM2.dcm", "site-07/notes.txt", "site-08/other"):
            client.put_object(Bucket="scans", Key=key, Body=b"x" * 1500)
        yield endpoint
        client.close()


def begin(page, live_server, title):
    page.get_by_role("link", name="Storages", exact=True).first.click()
    page.get_by_role("link", name="New storage").first.click()
    page.get_by_role("link", name=title).click()


def branch(page, name):
    page.locator("summary", has_text=re.compile(rf"^\s*{re.escape(name)}\s*$")).click()


def test_a_folder_is_registered_tested_and_looked_into(page, live_server, sign_in, tmp_path):
    folder = tmp_path / "pacs"
    (folder / "2024" / "ST-1").mkdir(parents=True)
    (folder / "2024" / "ST-1" / "IM1.dcm").write_bytes(b"x" * 1500)
    sign_in(page, "site-admin")
    begin(page, live_server, "Local folder")

    # What is wrong is said above the form, which keeps what was typed.
    page.get_by_label("Label").fill("Old scanner")
    page.get_by_label("Folder").fill(str(tmp_path / "pcas"))
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be opened")
    expect(page.get_by_label("Label")).to_have_value("Old scanner")
    page.get_by_label("Folder").fill(str(folder))
    page.get_by_role("button", name="Save and test").click()
    expect(page.locator(".messages")).to_contain_text("Saved and tested: it works.")
    expect(page.locator("h1")).to_have_text("Old scanner")
    expect(page.get_by_role("region", name="Last test").locator("tbody tr")).to_have_count(4)

    # The tree opens one level at a time, and each once.
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "browse?" in request.url else None)
    page.get_by_role("link", name="Browse").click()
    branch(page, "2024/")
    branch(page, "ST-1/")
    expect(page.get_by_text("IM1.dcm")).to_be_visible()
    expect(page.get_by_text("1.5 kB")).to_be_visible()
    branch(page, "2024/")
    branch(page, "2024/")
    expect(page.get_by_text("IM1.dcm")).to_be_visible()
    assert len(asked) == 2

    # Away, and back again.
    folder.rename(tmp_path / "away")
    storage = ExternalStorage.objects.get()
    page.goto(f"{live_server.url}{reverse('storage', args=[storage.pk])}")
    page.get_by_role("button", name="Test now").click()
    expect(page.locator(".page-head .badge")).to_have_text("Does not work")
    (tmp_path / "away").rename(folder)
    page.get_by_role("button", name="Test now").click()
    expect(page.locator(".page-head .badge")).to_have_text("Works")


def test_a_bucket_is_registered_with_a_wrong_key_and_then_the_right_one(page, live_server, sign_in, s3):
    sign_in(page, "site-admin")
    begin(page, live_server, "Amazon S3 and compatibles")
    page.get_by_label("Label").fill("partner")
    page.get_by_label("Bucket").fill("s3://scans/site-07")
    page.get_by_label("Endpoint").fill(s3)
    page.get_by_label("Region").fill("us-east-1")
    page.get_by_label("Access key").fill(private_stores.ACCESS_KEY)
    page.get_by_label("Secret key").fill("not-the-secret-key")
    page.get_by_label("Import and export").check()
    page.get_by_role("button", name="Save and test").click()
    expect(page.locator(".messages")).to_contain_text("the test failed")
    expect(page.locator(".page-head .badge")).to_have_text("Does not work")

    # Nothing of them is on any page; the place stays, the credentials are entered again.
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_label("With the saved credentials")).to_be_checked()
    expect(page.get_by_label("Secret key")).to_be_hidden()
    assert private_stores.ACCESS_KEY not in page.content()
    assert "not-the-secret-key" not in page.content()
    page.get_by_label("With other credentials").check()
    page.get_by_label("Access key").fill(private_stores.ACCESS_KEY)
    page.get_by_label("Secret key").fill(private_stores.SECRET_KEY)
    page.get_by_role("button", name="Save and test").click()
    expect(page.locator(".messages")).to_contain_text("Saved and tested: it works.")
    expect(page.get_by_role("region", name="Last test").locator("tbody tr")).to_have_count(6)
    assert private_stores.SECRET_KEY not in page.content()

    page.get_by_role("link", name="Browse").click()
    expect(page.get_by_text("notes.txt")).to_be_visible()
    expect(page.get_by_text("other")).to_have_count(0)
    branch(page, "2024/")
    branch(page, "ST-1/")
    expect(page.get_by_text("IM2.dcm")).to_be_visible()


def test_a_provider_is_made_after_its_warning_and_references_are_agreed_to(page, live_server, sign_in, tmp_path):
    folder = tmp_path / "pacs"
    (folder / "2024").mkdir(parents=True)
    sign_in(page, "site-admin")
    page.goto(f"{live_server.url}{reverse('storage-providers')}")
    page.get_by_role("link", name="New provider").first.click()
    page.get_by_label("Label").fill("PACS")
    page.get_by_label("Folder, bucket or container").fill(str(folder))
    page.get_by_role("button", name="Make it a provider").click()
    expect(page.get_by_role("alert")).to_contain_text("Read the warning")
    assert not StorageProvider.objects.exists()
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Make it a provider").click()
    expect(page.locator("h1")).to_have_text("PACS")

    page.get_by_role("link", name="New storage on it").click()
    expect(page.get_by_label("Provider")).to_have_value("PACS")
    page.get_by_label("Label").fill("PACS 2024")
    page.get_by_label("Prefix").fill("2024")
    page.get_by_role("button", name="Save and test").click()
    expect(page.locator(".messages")).to_contain_text("it works")
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Agree").click()
    expect(page.locator(".messages")).to_contain_text("imported by reference")
    assert ExternalStorage.objects.get().acknowledged_by == "user site-admin@example.org"


def test_the_keyboard_alone_and_a_narrow_screen(page, live_server, sign_in, tmp_path):
    (tmp_path / "pacs" / "2024").mkdir(parents=True)
    (tmp_path / "pacs" / "2024" / "IM1.dcm").touch()
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, "site-admin")
    page.goto(f"{live_server.url}{reverse('storage-new-kind', args=['fs'])}")
    expect(page.get_by_label("Label")).to_be_focused()
    page.keyboard.type("scans")
    page.get_by_label("Folder").focus()
    page.keyboard.type(str(tmp_path / "pacs"))
    page.keyboard.press("Enter")
    expect(page.locator(".messages")).to_contain_text("it works")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator(":focus").inner_text() == "Browse":
            break
    assert page.locator(":focus").evaluate("it => getComputedStyle(it).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Files of scans")
    page.locator("summary", has_text="2024/").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("IM1.dcm")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
