"""Pictures of every page: `python scripts/screenshots.py FOLDER [WORD]`; only pages whose name holds WORD.

Starts the application on an installation of its own that is thrown away, at 1440 and 390 pixels, light and dark.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import IO

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
)
# Lazy ones below the fold never come.
IMAGES_THERE = "[...document.images].every(one => one.complete || one.getBoundingClientRect().top > innerHeight)"
ADMIN, STRANGER = "anna", "nobody"
SIZES = ((1440, 900), (390, 844))


def main(folder: Path, word: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pratique-pictures-") as home:
        pages = prepared(Path(home))
        with (Path(home) / "server.log").open("wb") as log:
            server, base = started(log)
            try:
                return taken(base, folder, {name: path for name, path in pages.items() if word in name})
            finally:
                server.terminate()
                server.wait()
                shutil.copy(log.name, folder / "server.log")


def prepared(home: Path) -> dict[str, str]:
    """A seeded installation; the pages worth a picture, by name."""
    os.environ |= {"PRATIQUE_HOME": str(home), "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "config.settings"}
    sys.path.insert(0, str(ROOT))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from scripts.seeding import seed

    (home / "incoming").mkdir()
    seed(home / "incoming")
    return addresses()


def addresses() -> dict[str, str]:
    from importer.models import ImportJob, Item
    from watcher.models import Batch, DropFolder

    def job(**which: str) -> int:
        return ImportJob.objects.filter(**which).latest("id").pk

    review, folder = job(status="needs_review", label="ST-000479"), DropFolder.objects.get(name="mr-prisma").pk
    real, odd = job(label="ST-000477"), job(label="ST-000478")
    image = Item.objects.filter(job=real).earliest("seq")
    return {
        "dashboard": "/",
        "drop-folder": f"/drop-folders/{folder}/",
        "drop-folder-held": f"/drop-folders/{DropFolder.objects.get(name='partner-site').pk}/",
        "batches": "/batches/",
        "batches-none": "/batches/?status=failed",
        "batch": f"/batches/{Batch.objects.get(job=real).pk}/",
        "batch-odd": f"/batches/{Batch.objects.get(job=odd).pk}/",
        "batch-held": f"/batches/{Batch.objects.get(status='held').pk}/",
        "imports": "/imports/",
        "import-review": f"/imports/{review}/",
        "import-odd": f"/imports/{odd}/",
        "import-failed-files": f"/imports/{review}/?outcome=failed",
        "import-moving": f"/imports/{job(status='transferring')}/",
        "import-paused": f"/imports/{job(status='paused')}/",
        "import-failed": f"/imports/{job(status='failed')}/",
        "import-cancelled": f"/imports/{job(status='cancelled')}/",
        "conflicts": f"/imports/{review}/conflicts/",
        "item": f"/imports/{real}/items/{image.pk}/",
        "item-odd": f"/imports/{review}/items/{Item.objects.filter(job=review).latest('id').pk}/",
        "admin": "/admin/",
        "admin-imports": "/admin/importer/importjob/",
        "empty-dashboard": "/",
        "empty-imports": "/imports/",
        "empty-batches": "/batches/",
        "not-found": "/imports/999999/",
    }


def started(log: IO[bytes]) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "manage.py", "runserver", "--noreload", str(port)],
        cwd=ROOT, stdout=log, stderr=log,
    )  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{base}/sign-in/", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return server, base
    server.kill()
    raise SystemExit(f"The application did not start:\n{Path(log.name).read_text()}")


def taken(base: str, folder: Path, pages: dict[str, str]) -> int:
    """How many pages had something wrong: a message in the console, or content wider than the screen."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        empty = {name: path for name, path in pages.items() if name.startswith("empty-")}
        full = {name: path for name, path in pages.items() if name not in empty}
        wrong = 0
        for width, height in SIZES:
            for scheme in ("light", "dark"):
                for user, seen in ((ADMIN, full), (STRANGER, empty)):
                    wrong += shot(browser, base, folder, seen, size=(width, height), scheme=scheme, user=user)
        browser.close()
    return min(wrong, 1)


def shot(
    browser: Browser, base: str, folder: Path, pages: dict[str, str], *, size: tuple[int, int], scheme: str, user: str
) -> int:
    from scripts.seeding import PASSWORD

    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
    page.goto(f"{base}/sign-in/")
    page.screenshot(path=folder / f"sign-in-{size[0]}-{scheme}.png", full_page=True)
    # Pages named empty-… are what somebody sees who belongs to no project yet.
    page.fill("#id_username", user)
    page.fill("#id_password", PASSWORD)
    page.click("button[type=submit].button-main")
    for name, path in pages.items():
        page.goto(base + path)
        wait_for_images(page)
        page.screenshot(path=folder / f"{name}-{size[0]}-{scheme}.png", full_page=True)
        said += too_wide(page, name)
    context.close()
    said = [line for line in said if "/999999/" not in line]
    for line in sorted(set(said)):
        print(f"{size[0]} {scheme}: {line}")
    return len(said)


def wait_for_images(page: Page) -> None:
    """Asked from here: a waiting function inside the page would need the eval that its policy forbids."""
    for _ in range(100):
        if page.evaluate(IMAGES_THERE):
            return
        page.wait_for_timeout(200)


def too_wide(page: Page, name: str) -> list[str]:
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{name} is {over} pixels wider than the screen"] if over > 0 else []


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
