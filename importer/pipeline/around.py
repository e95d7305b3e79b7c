"""What PLAN knows about the DICOM around other files, also about the DICOM that did not come in."""

from collections.abc import Sequence

from django.db.models import Q

from importer.core.names import base_name, folder_of
from importer.core.recognise import claims_dicom, is_junk, is_series_archive
from importer.core.states import DICOM_KINDS, Level, Outcome, PlacementKind
from importer.core.surroundings import Surroundings
from importer.models import ImportJob, Item, Placement
from importer.pipeline.merging import sums
from importer.pipeline.pages import in_pages
from importer.pipeline.recall import DICOM as DICOM_SAID
from importer.pipeline.recall import WAITS

DICOM = Q(kind__in=sorted(DICOM_KINDS))
# Said of DICOM alone, whatever the file is called.
_READ_AS_DICOM = ("Truncated", "No UID", "Unreadable: the header")


def surroundings(job: ImportJob) -> Surroundings:
    """Without the DICOM of this job that has a Placement: that is told as it is settled."""
    around = Surroundings()
    _tell_bad(around, job)
    _tell_known(around, job)
    while job.only_failed and job.rerun_of is not None:
        job = job.rerun_of
        _tell_again(around, job)
    return around


def tell(around: Surroundings, placement: Placement, folders: Sequence[str], *, waits: bool) -> None:
    """A file beside DICOM that waits for a label must not be filed with strangers further up."""
    for folder in folders:
        if waits:
            around.add_waiting(folder)
            continue
        around.add(
            folder,
            subject=placement.subject_label,
            session=(placement.session_label, placement.session_uid),
            acquisition=(placement.acquisition_label, placement.acquisition_uid),
            level=Level(placement.level),
        )


def _tell_bad(around: Surroundings, job: ImportJob) -> None:
    """DICOM that cannot be read is some patient's all the same: nobody knows whose."""
    bad = Item.objects.filter(job=job, outcome__in=[Outcome.FAILED, Outcome.SKIPPED])
    for path, outcome, reason in bad.values_list("path", "outcome", "reason").iterator(chunk_size=2000):
        folder, name = folder_of(path), base_name(path)
        if is_junk(path):
            continue
        if claims_dicom(name) or is_series_archive(name) or reason.startswith(_READ_AS_DICOM):
            around.add_waiting(folder)
        elif outcome == Outcome.FAILED:
            around.add_hidden(folder)


def _tell_known(around: Surroundings, job: ImportJob) -> None:
    """DICOM that an earlier import took lies where it is now. Asked only where something is to be placed by it."""
    if not Placement.objects.filter(job=job, kind=PlacementKind.FILE).exists():
        return
    known = Placement.objects.filter(job=job, kind=PlacementKind.KNOWN, said__has_key=DICOM_SAID)
    for page in in_pages(known):
        folders: dict[int, set[str]] = {}
        rows = Item.objects.filter(placement__in=page).order_by().values_list("placement_id", "path")
        for pk, path in rows.iterator(chunk_size=2000):
            folders.setdefault(pk, set()).add(folder_of(path))
        for placement in page:
            tell(around, placement, sorted(folders.get(placement.pk, ())), waits=WAITS in placement.said)


def _tell_again(around: Surroundings, before: ImportJob) -> None:
    """Of a run whose failed files alone are run again: the DICOM that came in then lies around them now."""
    for page in in_pages(Placement.objects.filter(DICOM, job=before, contributions__isnull=False).distinct()):
        found = sums(page)
        for placement in page:
            tell(around, placement, found[placement.pk].folders, waits=False)
