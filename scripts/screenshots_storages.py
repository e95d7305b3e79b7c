"""Pictures of the storages: `python scripts/screenshots_storages.py FOLDER [WORD]`; see scripts/screenshots.py."""

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import screenshots  # noqa: E402

PAGES = {
    "storages": "/storages/",
    "storage-new": "/storages/new",
    **{f"storage-new-{kind}": f"/storages/new/{kind}" for kind in ("fs", "s3", "az", "gs")},
    "storage-providers": "/storages/providers/",
    "storage-provider-new": "/storages/providers/new",
}


def main(folder: Path, word: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pratique-pictures-") as home:
        screenshots.prepared(Path(home))
        pages = {name: path for name, path in {**PAGES, **seeded(Path(home))}.items() if word in name}
        with (folder / "server.log").open("wb") as log:
            server, base = screenshots.started(log)
            try:
                return screenshots.taken(base, folder, pages)
            finally:
                server.terminate()
                server.wait()


def seeded(home: Path) -> dict[str, str]:
    """A folder on a provider, the whole of it beside, a share that is gone, buckets not checked and switched off."""
    from django.utils import timezone

    from importer import storage_providers, storage_services
    from importer.storage_address import Address
    from importer.storage_providers import NewProvider
    from importer.storage_services import NewStorage, SignIn, StorageEdit
    from storages.health import check_storage
    from storages.stores import Kind

    by = {"actor": None, "who": "user admin@example.org", "now": timezone.now()}
    pacs = home / "pacs"
    (pacs / "2024" / "ST-000001" / "series 1").mkdir(parents=True)
    for number in range(12):
        (pacs / "2024" / "ST-000001" / f"IM{number:04}.dcm").write_bytes(b"x" * (number * 40_000 + 1))
    (pacs / "notes of the day, by whom and with which scanner, which nobody ever reads again.txt").write_text("x")
    (pacs / "link").symlink_to("2024")
    whole = Address(kind=Kind.LOCAL, bucket=str(pacs))
    provider = storage_providers.create(NewProvider(label="PACS export", address=whole, acknowledged=True), **by)

    def make(label: str, address: Address, **more: object) -> int:
        return storage_services.create(NewStorage(label=label, address=address, **more), **by).pk

    year = make("PACS 2024", Address(kind=Kind.LOCAL, bucket=str(pacs), prefix="2024"), provider=provider)
    old = make("Old scanner", whole, description="Everything since 2009.")
    keys = SignIn(credentials={"access_key": "AKIAEXAMPLE", "secret_key": "x" * 40})
    partner = make("Partner", Address(kind=Kind.S3, bucket="partner-uploads", prefix="site-07"), sign_in=keys)
    (home / "share").mkdir()
    gone = make("Share of ward 7", Address(kind=Kind.LOCAL, bucket=str(home / "share")))
    shutil.rmtree(home / "share")
    off = make("Archive of 2019", Address(kind=Kind.AZURE, bucket="images", account="hospital"))
    storage_services.update(off, StorageEdit(enabled=False), **by)
    for pk in (year, old, gone):
        check_storage(pk, who="system")
    return {
        "storage-reference": f"/storages/{year}/",
        "storage": f"/storages/{old}/",
        "storage-unchecked": f"/storages/{partner}/",
        "storage-failed": f"/storages/{gone}/",
        "storage-off": f"/storages/{off}/",
        "storage-edit": f"/storages/{partner}/edit",
        "storage-browse": f"/storages/{old}/browse",
        "storage-provider": f"/storages/providers/{provider.pk}/",
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
