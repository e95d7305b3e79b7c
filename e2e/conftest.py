"""A browser, an application on a real port, and somebody who is signed in."""

import shutil

import pytest
from playwright.sync_api import expect

# Of a busy machine the pages are late, not wrong.
expect.set_options(timeout=30_000)

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]
PASSWORD = "correct horse"


@pytest.fixture(scope="session", autouse=True)
def _rows_from_the_test_itself():
    """Playwright's loop runs in the test's own thread; the tests' queries there are no mistake."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {**browser_type_launch_args, "executable_path": shutil.which("chromium"), "args": CHROMIUM}


@pytest.fixture(scope="session")
def base_url():
    """None, as the plugin's own, which is written in a way that pytest 9.2 warns about."""


@pytest.fixture
def complaints():
    """What the browser complained about; a test that provokes it clears the list."""
    return []


@pytest.fixture
def page(page, complaints):
    """Fails the test at its end for whatever the browser complained about, a refused inline script among it."""
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []


@pytest.fixture
def sign_in(live_server, people):
    """`sign_in(page, "viewer")`: through the page, as a person does."""

    def signed(page, user: str) -> None:
        page.goto(f"{live_server.url}/sign-in/")
        page.get_by_label("User name").fill(user)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Dashboard").wait_for()

    return signed
