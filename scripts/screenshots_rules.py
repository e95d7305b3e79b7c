"""Pictures of the rules: `python scripts/screenshots_rules.py FOLDER [WORD]`; see scripts/screenshots.py.

Rule sets of every scope with versions, samples of real names and real headers, proposals, and the editor with mistakes.
"""

import os
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import screenshots  # noqa: E402

WEEKLY = """\
# Scanner 2, every Monday
name: weekly MR
exclude:
  - path=~_scout
rules:
  - name: MR by header
    type: dicom
    include: Modality=MR
    mappings:
      - PatientID={subject.label}[_{session.label}]
  - name: NIfTI by folder
    include: path=~*.nii.gz
    mappings:
      - path=sub-{subject}/[ses-{session}/]{acquisition}/*
  - name: notes
    level: subject
    include: ext=pdf
    mappings:
      - path={subject}/*
"""
BROKEN = """\
- name: MR by header
  type: dicom
  inculde: Modality=MR
  mappings:
    - PatientID={subject.label
    - session.lable={StudyDescription}
- name: notes
  level: subjects
  include: size=~1
"""


def main(folder: Path, word: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pratique-pictures-") as home:
        screenshots.prepared(Path(home))
        pages = {name: path for name, path in seeded(Path(home)).items() if word in name}
        with (folder / "server.log").open("wb") as log:
            server, base = screenshots.started(log)
            try:
                wrong = screenshots.taken(base, folder, pages)
                return wrong + (written(base, folder) if word in "editor-written" else 0)
            finally:
                server.terminate()
                server.wait()


def seeded(home: Path) -> dict[str, str]:
    from django.contrib.auth.models import User
    from django.utils import timezone

    from hierarchy.models import Project
    from importer import rule_sets, samples
    from importer.models import ImportJob, RuleSetVersion
    from watcher.models import DropFolder

    anna, now = User.objects.get(username=screenshots.ADMIN), timezone.now()
    project = Project.objects.get(group__name="neuro", label="Ageing cohort")
    said = {"actor": anna, "who": "user anna.lindqvist@example.org"}

    def kept(name: str, **more: object) -> int:
        new = rule_sets.NewRuleSet(name=name, text=WEEKLY, **more)
        return rule_sets.create(new, now=now - timedelta(days=40), **said).pk

    weekly = kept("weekly MR", project=project, description="Scanner 2: MR by header, NIfTI by folder, notes.")
    rule_sets.edit(weekly, WEEKLY.replace("size>1kB", "size>2kB") + "  - name: rest\n    beside_dicom: true\n",
                   base=1, now=now - timedelta(days=3), **said)  # fmt: skip
    rule_sets.edit(weekly, WEEKLY.replace("_scout", "_localizer"), base=2, now=now - timedelta(hours=2), **said)
    rule_sets.make_default(weekly, now=now, **said)
    kept("site-wide", description="What every project begins with.")
    kept("neuro BIDS", group=project.group, description="<b>BIDS</b> with our own session names.")
    rule_sets.archive(kept("old scanner"), now=now, **said)
    version = RuleSetVersion.objects.get(rule_set=weekly, number=3)
    ImportJob.objects.filter(project=project).update(rules="weekly MR", rules_version=version)
    DropFolder.objects.filter(name="mr-prisma").update(rule_set="weekly MR")
    study = home / "study"
    shutil.copytree(shipped() / "dicomdirtests" / "98892003", study, copy_function=shutil.copyfile)
    real = samples.from_folder(os.fsencode(study), title="ST-000479", actor=anna, now=now).pk
    paths = [f"data/S{s:03}_V{v}_{a}/IM{n:04}.dcm" for s in range(1, 9) for v in (1, 2) for a in ("T1", "FLAIR", "rest")
             for n in range(1, 4)]  # fmt: skip
    names = samples.from_paths("\n".join([*paths, "data/readme.txt", "README"]), actor=anna, now=now).pk
    return {
        "rule-sets": "/rule-sets/",
        "rule-sets-archived": "/rule-sets/?archived=1",
        "rule-sets-none": "/rule-sets/?q=zzz",
        "rule-set": f"/rule-sets/{weekly}/",
        "rule-set-old": f"/rule-sets/{weekly}/?version=2&against=1",
        "rule-set-built-in": "/rule-sets/bids/",
        "editor": f"/rule-sets/{weekly}/edit",
        "editor-new": f"/rule-sets/new?sample={real}",
        "editor-try": f"/rule-sets/try?from=standard&sample={real}",
        "from-names": "/rule-sets/from-names",
        "from-names-proposed": f"/rule-sets/from-names?sample={names}",
        "empty-rule-sets": "/rule-sets/",
        "empty-rule-set-new": "/rule-sets/new",
        "empty-from-names": "/rule-sets/from-names",
    }


def shipped() -> Path:
    import pydicom.data

    return Path(pydicom.data.__file__).parent / "test_files"


def written(base: str, folder: Path) -> int:
    """The editor while somebody writes: mistakes marked, a row opened, the help opened."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(screenshots.CHROMIUM))
        for width, height in screenshots.SIZES:
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                _write(context.new_page(), base, folder, f"{width}-{scheme}")
                context.close()
        browser.close()
    return 0


def _write(page: Page, base: str, folder: Path, name: str) -> None:
    from scripts.seeding import PASSWORD

    page.goto(f"{base}/sign-in/")
    page.fill("#id_username", screenshots.ADMIN)
    page.fill("#id_password", PASSWORD)
    page.click("button[type=submit].button-main")
    page.goto(f"{base}/rule-sets/try?from=standard")
    page.locator(".try summary").nth(0).click()
    page.locator(".try summary").nth(6).click()
    page.locator(".help-part summary").nth(1).click()
    page.screenshot(path=folder / f"editor-opened-{name}.png", full_page=True)
    page.locator(".help-part summary").nth(1).click()
    page.fill("#rules-text", BROKEN)
    page.locator("#problems li").first.wait_for()
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"editor-broken-{name}.png", full_page=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
