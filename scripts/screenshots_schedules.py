"""Pictures of schedules and of imports from storages: `python scripts/screenshots_schedules.py FOLDER [WORD]`; see
scripts/screenshots.py."""

import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import screenshots  # noqa: E402


def main(folder: Path, word: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pratique-pictures-") as home:
        screenshots.prepared(Path(home))
        pages = {name: path for name, path in seeded(Path(home)).items() if word in name}
        with (folder / "server.log").open("wb") as log:
            server, base = screenshots.started(log)
            try:
                return screenshots.taken(base, folder, pages)
            finally:
                server.terminate()
                server.wait()


def seeded(home: Path) -> dict[str, str]:
    """A scanner's folder that a schedule has run over three times, one that waits as a plan, in trouble, over, off."""
    import pydicom.data
    from django.utils import timezone

    from hierarchy.services import ensure_project
    from importer import schedules, storage_providers, storage_services
    from importer.models import ImportSchedule
    from importer.schedules import NewSchedule, Options, Times
    from importer.storage_address import Address
    from importer.storage_providers import NewProvider
    from importer.storage_services import NewStorage
    from storages.stores import Kind

    now = timezone.now()
    by = {"actor": None, "who": "user admin@example.org", "now": now}
    project = ensure_project("lab/Brain", actor=None)
    images = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
    scanner, pacs = home / "scanner", home / "pacs"
    shutil.copytree(images / "98892003", scanner / "2026" / "98892003")
    shutil.copytree(images / "77654033", scanner / "2025" / "77654033")
    shutil.copytree(images / "98892001", pacs / "98892001")

    def make(label: str, address: Address, **more: object):  # noqa: ANN202
        return storage_services.create(NewStorage(label=label, address=address, **more), **by)

    storage = make("Scanner", Address(kind=Kind.LOCAL, bucket=str(scanner)))
    place = Address(kind=Kind.LOCAL, bucket=str(pacs))
    provider = storage_providers.create(NewProvider(label="PACS", address=place, acknowledged=True), **by)
    referenced = make("PACS export", place, provider=provider)

    def keep(name: str, cron: str, **more: object) -> int:
        times = Times(cron=cron, end=more.pop("end", None))
        return schedules.create(NewSchedule(project=project, storage=storage, times=times, name=name, **more), **by).pk

    nightly = keep("nightly", "0 3 * * *", description="What the scanner left since yesterday.")
    ran(nightly, by)
    shutil.rmtree(scanner / "2025")
    shutil.copytree(images / "98892001", scanner / "2026" / "98892001")
    job = ran(nightly, by)
    ran(nightly, by)
    daily = keep("during the day", "*/15 8-18 * * mon-fri", prefixes=["2026/"], options=Options(dry_run=True))
    ran(daily, by)
    ImportSchedule.objects.filter(pk=daily).update(trouble="The plan of import 4 waits to be approved or cancelled.")
    keep("every hour until the move", "0 * * * *", end=now + timedelta(hours=2))
    ImportSchedule.objects.filter(name__startswith="every hour").update(next_run_at=None)
    schedules.switch(keep("old", "0 4 * * *"), on=False, **by)
    return {
        "schedules": "/schedules/",
        "schedule": f"/schedules/{nightly}/",
        "schedule-trouble": f"/schedules/{daily}/",
        "schedule-new": "/schedules/new",
        "schedule-new-form": f"/schedules/new?storage={storage.pk}",
        "schedule-edit": f"/schedules/{daily}/edit",
        "import-storage": f"/imports/new?storage={storage.pk}",
        "import-reference": f"/imports/new?storage={referenced.pk}",
        "import-vanished": f"/imports/{job}/vanished/",
        "import-of-schedule": f"/imports/{job}/",
    }


def ran(schedule: int, by: dict) -> int:
    """The number of an import that was run to its end here."""
    from importer import schedules
    from importer.pipeline.advance import Step, advance
    from importer.pipeline.worker import Worker

    job = schedules.run_now(schedule, enqueue=False, **by)
    worker = Worker(owner="pictures", wake=lambda _job, _count: None)
    while advance(job.pk, worker=worker) is not Step.ENDED:
        pass
    return job.pk


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
