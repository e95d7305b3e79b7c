"""Pictures of the tree's pages: `python scripts/screenshots_hierarchy.py FOLDER [WORD]`; see scripts/screenshots.py.

The images are real DICOM that ships with pydicom, stored through a place as an import stores them.
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import screenshots  # noqa: E402

MODALITY = {"CT": "CT", "li": "CT", "ec": "US", "do": "US", "bo": "NM", "tr": "MR", "re": "SR"}


def main(folder: Path, word: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pratique-pictures-") as home:
        screenshots.prepared(Path(home))
        pages = {name: path for name, path in seeded().items() if word in name}
        with (folder / "server.log").open("wb") as log:
            server, base = screenshots.started(log)
            try:
                return screenshots.taken(base, folder, pages)
            finally:
                server.terminate()
                server.wait()


def seeded() -> dict[str, str]:
    """A project with one visit of real scans, odd names, twins, versions and files on every level."""
    from hierarchy.models import Project
    from hierarchy.tests.factories import NOW, make_acquisition, make_file, make_session, make_subject
    from hierarchy.tests.stored import series, shipped, store_file, store_series
    from importer.models import ImportJob

    project = Project.objects.get(group__name="neuro", label="Ageing cohort")
    job = ImportJob.objects.filter(project=project).latest("id").pk
    for number in range(1, 64):
        make_subject(project=project, label=f"AG-{number:04}", sex=["female", "male", "other", ""][number % 4])
    subject = make_subject(project=project, label="98892003", firstname="Anna", lastname="Doe", sex="female")
    odd = make_subject(project=project, label="odd \u202eeman\u202c name " + "x" * 40)
    session = make_session(
        subject=subject, label="BRAIN", uid="1.3.6.1.4.1.5962.1.2.0.1175775771.5702.0", age_seconds=34 * 31_557_600,
        timestamp=NOW, timestamp_offset=-300, timestamp_zone="America/New_York", accession_number="A-2026-0314",
        weight_kg=71.5, operator="Jane Roe, John Poe",
    )  # fmt: skip
    make_session(subject=subject, label="BRAIN", copy=1)
    scans = {
        "1 - localizer": store_series([shipped("MR_small.dcm")], name="1 - localizer.dicom.zip",
                                      acquisition=_scan(session, "1 - localizer"), import_id=job),
        "2 - t1_mprage_sag_p2_iso": _stack(session, "2 - t1_mprage_sag_p2_iso", job),
        "3 - CT abdomen": _single(session, "3 - CT abdomen", "CT_small.dcm", job),
        "4 - liver": _single(session, "4 - liver", "examples_overlay.dcm", job),
        "5 - echo": _single(session, "5 - echo", "examples_ybr_color.dcm", job),
        "6 - doppler": _single(session, "6 - doppler", "examples_rgb_color.dcm", job),
        "7 - bone scan": _single(session, "7 - bone scan", "JPEG2000.dcm", job),
        "8 - truncated": _single(session, "8 - truncated", "MR_truncated.dcm", job),
        "9 - report": _single(session, "9 - report", "test-SR.dcm", job),
    }  # fmt: skip
    make_acquisition(session=session, label="10 - nothing yet")
    notes = make_acquisition(session=session, label="11 - physio")
    store_file(b"t,v\n", name="physio.csv", file=make_file(name="physio.csv", type="csv", acquisition=notes))
    store_file(b"notes", name="visit.txt", file=make_file(name="visit notes.txt", type="text", session=session))
    store_file(b"consent", name="consent.pdf", file=make_file(name="consent.pdf", type="pdf", subject=subject))
    for name in ("protocol.pdf", "codebook\n\u202exlsx.exe"):
        store_file(b"about", name="about.pdf", file=make_file(name=name, type="pdf", project=project), import_id=job)
    stack = scans["2 - t1_mprage_sag_p2_iso"].file
    store_series(series("98892003/MR700")[:5], file=stack, number=2, created_at=NOW + timedelta(days=3), import_id=job)
    stack.version = 2
    stack.save()
    ct = scans["3 - CT abdomen"].file
    _describe(project, subject, session, stack.acquisition, stack)
    return {
        "projects": "/projects/",
        "projects-search": "/projects/?q=A-2026-0314",
        "projects-nothing": "/projects/?q=nowhere",
        "project": f"/projects/{project.pk}/",
        "project-search": f"/projects/{project.pk}/?q=nobody",
        "project-empty": f"/projects/{Project.objects.exclude(pk=project.pk).latest('id').pk}/",
        "subject": f"/subjects/{subject.pk}/",
        "subject-odd": f"/subjects/{odd.pk}/",
        "session": f"/sessions/{session.pk}/",
        "acquisition": f"/acquisitions/{stack.acquisition_id}/",
        "acquisition-ct": f"/acquisitions/{ct.acquisition_id}/",
        "acquisition-truncated": f"/acquisitions/{scans['8 - truncated'].file.acquisition_id}/",
        "acquisition-notes": f"/acquisitions/{notes.pk}/",
        "file": f"/files/{stack.pk}/",
        "file-old": f"/files/{stack.pk}/?version=1",
        "file-plain": f"/files/{project.files.latest('id').pk}/",
        "header": f"/files/{ct.pk}/header",
        "header-search": f"/files/{ct.pk}/header?q=slice",
        "header-none": f"/files/{ct.pk}/header?q=zzz",
    }


def _describe(*described: Any) -> None:
    """As rules fill them in: short, nested, long and odd."""
    info = {
        "site": "Utrecht", "scanner": {"station": "MR7", "field": 3.0, "coils": ["head", "neck"]}, "checked": False,
        "comment": "moved twice; repeated after a break " * 6, "odd\u202eeman" + "z" * 64: "x" * 120,
    }  # fmt: skip
    for one in described:
        one.info, one.tags = (
            info,
            ["ageing", "baseline", "a tag of several words", "quality control", "odd \u202e tag " + "y" * 90],
        )
        one.save()
    described[1].type, described[1].species = "human", "Homo sapiens"
    described[1].save()
    described[-1].classification = {"Intent": ["Structural"], "Measurement": ["T1"]}
    described[-1].save()


def _scan(session: object, label: str) -> object:
    from hierarchy.tests.factories import NOW, make_acquisition

    return make_acquisition(
        session=session, label=label, uid=f"1.2.3.{len(label)}", timestamp=NOW, timestamp_offset=-300
    )


def _single(session: object, label: str, name: str, job: int) -> object:
    from hierarchy.tests.stored import shipped, store_series

    version = store_series([shipped(name)], name=f"{label}.dicom.zip", acquisition=_scan(session, label), import_id=job)
    version.file.modality = MODALITY[label[4:6]]
    version.file.save()
    return version


def _stack(session: object, label: str, job: int) -> object:
    from hierarchy.tests.stored import series, store_series

    version = store_series(
        series("98892003/MR700"), name=f"{label}.dicom.zip", acquisition=_scan(session, label), import_id=job
    )
    version.file.modality = "MR"
    version.file.save()
    return version


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
