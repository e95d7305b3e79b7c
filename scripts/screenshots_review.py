"""Pictures of the review: `python scripts/screenshots_review.py FOLDER [WORD]`; see scripts/screenshots.py.

Every conflict is made by a real import of real DICOM, one project per type.
"""

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import screenshots  # noqa: E402

NAMES = {
    "file_name_already_exists": "neuro/Ageing cohort",
    "instance_uid_has_different_content": "neuro/Phantoms",
    "series_labels_disagree": "onco/Breast MR",
    "uid_match_belongs_to_a_different_parent": "onco/Liver trial",
    "uid_match_has_a_different_label": "onco/Prostate",
    "label_match_already_has_a_different_uid": "neuro/Stroke",
    "multiple_uid_matches_found": "neuro/Twins",
    "multiple_label_matches_found": "neuro/Repeats",
    "label_is_missing": "onco/Anonymous",
}


def main(folder: Path, word: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pratique-pictures-") as home:
        pages = prepared(Path(home))
        with (Path(home) / "server.log").open("wb") as log:
            server, base = screenshots.started(log)
            try:
                wrong = screenshots.taken(base, folder, {name: path for name, path in pages.items() if word in name})
                return wrong + acted(base, folder)
            finally:
                server.terminate()
                server.wait()
                (folder / "server.log").write_bytes((Path(home) / "server.log").read_bytes())


def prepared(home: Path) -> dict[str, str]:
    import os

    os.environ |= {"PRATIQUE_HOME": str(home), "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "config.settings"}
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    users.create_superuser("anna", "anna.lindqvist@example.org", "only for pictures", first_name="Anna")
    users.create_user("nobody", "nobody@example.org", "only for pictures")
    made(home / "source")
    return addresses()


def acted(base: str, folder: Path) -> int:
    """Pages that an address alone does not reach: the summary before a large decision, help, and an empty queue."""
    from playwright.sync_api import sync_playwright

    wrong: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(screenshots.CHROMIUM))
        for width, height in screenshots.SIZES:
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                name = f"{width}-{scheme}.png"
                signed_in(page, base, "anna")
                page.goto(f"{base}/review/")
                page.keyboard.press("j")
                page.screenshot(path=folder / f"review-row-{name}")
                page.keyboard.press("?")
                page.screenshot(path=folder / f"review-keys-{name}")
                page.keyboard.press("Escape")
                page.check("[data-all]")
                page.click("#decide [data-key=b]")
                page.screenshot(path=folder / f"review-summary-{name}", full_page=True)
                wrong += screenshots.too_wide(page, f"summary {name}")
                page.context.clear_cookies()
                signed_in(page, base, "nobody")
                page.goto(f"{base}/review/")
                page.screenshot(path=folder / f"review-clear-{name}")
                wrong += screenshots.too_wide(page, f"clear {name}")
                page.close()
        browser.close()
    print(*wrong, sep="\n")
    return len(wrong)


def signed_in(page: object, base: str, name: str) -> None:
    page.goto(f"{base}/sign-in/")
    page.fill("#id_username", name)
    page.fill("#id_password", "only for pictures")
    page.click("button[type=submit].button-main")


def made(folder: Path) -> None:
    from importer.tests.factories import make_project
    from importer.tests.review.cases import MAKE

    # The one that renames every session there is comes first.
    for kind, make in sorted(MAKE.items(), key=lambda one: "different_label" not in one[0]):
        make(make_project(NAMES[kind]), folder / kind)
    scans(folder / "scans")
    decisions()


def scans(folder: Path) -> None:
    """A stored series of real images, and its next delivery: one image fewer, one patient's name corrected."""
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    from importer.tests.factories import make_project
    from importer.tests.pipeline.drive import imported

    first, again = folder / "ST-000479", folder / "ST-000483"
    first.mkdir(parents=True)
    again.mkdir()
    images = sorted((Path(get_testdata_file("dicomdirtests/DICOMDIR")).parent / "98892003" / "MR700").iterdir())
    for image in images:
        read = dcmread(image)
        if image != images[0]:
            read.save_as(first / f"{image.name}.dcm")
        read.PatientName, read.InstitutionName = "Doe^Jane", "Ward 3"
        read.save_as(again / f"{image.name}.dcm")
    project = make_project("neuro/Ageing cohort")
    imported(project, first, label="ST-000479")
    imported(project, again, label="ST-000483")


def decisions() -> None:
    """What has been decided already: a resolution that worked, one that was refused, an alias, a rule."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from importer import review
    from importer.models import Conflict
    from importer.pipeline.resolving import resolve
    from importer.pipeline.worker import Worker, this_owner

    anna = User.objects.get(username="anna")

    def decide(kind: str, action: str) -> None:
        rows = Conflict.objects.filter(type=kind, status="open")
        verdict = review.Verdict(action=action, who="user anna.lindqvist@example.org")
        act = review.decide(rows, verdict, actor=anna, now=timezone.now(), enqueue=False)
        resolve(act.pk, worker=Worker(owner=this_owner()))

    from importer.tests.factories import make_project
    from importer.tests.review.cases import label_uid

    with tempfile.TemporaryDirectory() as spare:
        label_uid(make_project("neuro/Decided"), Path(spare) / "a")
        rows = Conflict.objects.filter(project__label="Decided")
        act = review.decide(
            rows,
            review.Verdict(action="keep-all", who="user anna.lindqvist@example.org"),
            actor=anna, now=timezone.now(), enqueue=False,
        )  # fmt: skip
        resolve(act.pk, worker=Worker(owner=this_owner()))
    decide("multiple_label_matches_found", "retry")
    review.set_standing_rule(
        make_project("neuro/Decided"), conflict_type="label_match_already_has_a_different_uid",
        action="rename_incoming", enabled=True, actor=anna, who="user anna.lindqvist@example.org", now=timezone.now(),
    )  # fmt: skip


def addresses() -> dict[str, str]:
    from importer.models import Conflict, Resolution

    waiting = {one.type: one.pk for one in Conflict.objects.filter(status="open").order_by("id")}
    rule = "type=uid_match_has_a_different_label&action=replace_existing"
    decided = Conflict.objects.filter(status="resolved").latest("id")
    return {
        "review": "/review/",
        "review-type": "/review/?type=label_match_already_has_a_different_uid",
        "review-decided": "/review/?status=decided",
        "review-none": "/review/?q=zzz",
        "review-empty": "/review/?status=decided&q=",
        **{f"conflict-{kind}": f"/review/{pk}/" for kind, pk in waiting.items()},
        "conflict-decided": f"/review/{decided.pk}/",
        "resolutions": "/review/decisions/",
        "resolution": f"/review/decisions/{Resolution.objects.latest('id').pk}/",
        "resolution-done": f"/review/decisions/{Resolution.objects.earliest('id').pk}/",
        "rules": "/review/rules/",
        "rules-preview": f"/review/rules/?project={decided.project_id}&{rule}",
        "aliases": "/review/aliases/",
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
