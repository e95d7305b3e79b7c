"""Labels that somebody assigned once to what comes without: a delivery of the same study does not ask again."""

from collections.abc import Sequence
from dataclasses import dataclass

from hierarchy.models import Acquisition, Project, Session, Subject
from importer.core.states import Level
from importer.models import Alias, Placement


@dataclass(frozen=True, slots=True)
class Told:
    """Labels from the top down to where an alias points; empty below."""

    subject: str = ""
    session: str = ""
    acquisition: str = ""

    def over(self, placement: Placement) -> tuple[str, str, str]:
        """What the header gives is kept: the alias itself then leads to the container."""
        return (
            placement.subject_label or self.subject,
            placement.session_label or self.session,
            placement.acquisition_label or self.acquisition,
        )


def known_labels(project: Project, page: Sequence[Placement]) -> dict[int, Told]:
    """Placement → labels, for those that an alias of an unlabelled study or series speaks of. Four queries a page."""
    uids = {uid for one in page for uid in (one.session_uid, one.acquisition_uid)} - {""}
    aliases = list(Alias.objects.filter(project=project, uid__in=uids, label="")) if uids else []
    if not aliases:
        return {}
    labels = _labels(aliases)
    told = {(a.level, a.uid): found for a in aliases if (found := labels.get((a.level, a.container_id)))}
    return {one.pk: best for one in page if (best := _best(one, told)) is not None}


def _best(one: Placement, told: dict[tuple[str, str], Told]) -> Told | None:
    """The deepest that is known."""
    study, series = one.session_uid, one.acquisition_uid
    keys = ((Level.ACQUISITION, series), (Level.SESSION, study), (Level.SUBJECT, study))
    return next((told[key] for key in keys if key in told), None)


def _labels(aliases: Sequence[Alias]) -> dict[tuple[str, int], Told]:
    of = {level: [a.container_id for a in aliases if a.level == level] for level in Level}
    found: dict[tuple[str, int], Told] = {}
    for row in Subject.objects.filter(pk__in=of[Level.SUBJECT]):
        found[Level.SUBJECT, row.pk] = Told(row.label)
    for session in Session.objects.filter(pk__in=of[Level.SESSION]).select_related("subject"):
        found[Level.SESSION, session.pk] = Told(session.subject.label, session.label)
    below = Acquisition.objects.filter(pk__in=of[Level.ACQUISITION]).select_related("session__subject")
    for one in below:
        found[Level.ACQUISITION, one.pk] = Told(one.session.subject.label, one.session.label, one.label)
    return found
