"""What the review page is asked, from addresses and from forms: anything that is not understood counts as not given."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from importer.core.methods import Action
from importer.core.states import ConflictType, Level
from importer.review import Verdict
from importer.review_queries import Choice, Selection

LABELS = (Level.SUBJECT, Level.SESSION, Level.ACQUISITION)
# Rows that one form may name; more is what "all that match" is for.
MOST_ROWS = 1000
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A decision as somebody asks for it. `sure`: its summary has been seen."""

    selection: Selection
    action: str
    target: int | None
    labels: Mapping[str, str]
    sure: bool

    def verdict(self, who: str) -> Verdict:
        return Verdict(action=self.action, who=who, target=self.target, labels=dict(self.labels))

    @property
    def lacks_label(self) -> bool:
        return self.action == Action.ASSIGN and not self.labels


def choice(said: QueryDict) -> Choice:
    return Choice(
        type=_one_of(said.get("type", ""), set(ConflictType)),
        level=_one_of(said.get("level", ""), set(Level)),
        project=_number(said.get("project", "")),
        job=_number(said.get("import", "")),
        words=said.get("q", "").replace("\0", "").strip(),
        decided=said.get("status") == "decided",
    )


def as_query(choice: Choice) -> dict[str, str]:
    """The way back: what of a choice an address says."""
    said = {
        "type": choice.type,
        "level": choice.level,
        "project": str(choice.project or ""),
        "import": str(choice.job or ""),
        "q": choice.words,
        "status": "decided" if choice.decided else "",
    }
    return {name: value for name, value in said.items() if value}


def queue(choice: Choice) -> str:
    """The queue's address with that choice."""
    query = urlencode(as_query(choice))
    return f"{reverse('review')}?{query}" if query else reverse("review")


def asked(request: HttpRequest) -> Asked:
    said = request.POST
    rows = [number for text in said.getlist("row")[:MOST_ROWS] if (number := _number(text)) is not None]
    action, _, target = said.get("action", "").partition(":")
    return Asked(
        selection=Selection(
            choice=choice(said),
            rows=tuple(rows),
            whole=said.get("all") == "1",
            upto=_number(said.get("upto", "")),
            single=_number(said.get("single", "")),
        ),
        action=action,
        target=_number(target or said.get("target", "")),
        labels=_labels(said),
        sure=said.get("sure") == "1",
    )


def _labels(said: QueryDict) -> dict[str, str]:
    found = {level.value: said.get(f"label-{level}", "").replace("\0", "").strip() for level in LABELS}
    return {level: label for level, label in found.items() if label}


def next_of(request: HttpRequest, *, otherwise: str) -> str:
    """Where to go afterwards: only to a page of ours."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()})
    return wanted if wanted and ours else otherwise


def _one_of(text: str, known: set[str]) -> str:
    return text if text in known else ""


def _number(text: str) -> int | None:
    return min(int(text[:19]), _LARGEST) if text.isascii() and text.isdigit() else None
