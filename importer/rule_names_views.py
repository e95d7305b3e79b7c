"""From names to rules: paths are looked at, rules proposed, and corrected by what a person says about single files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from hierarchy.errors import Refused
from importer import rule_drafts, samples
from importer.core.rules.proposals import Example, Proposal, ProposalError, Row, propose
from importer.core.rules.samples import MOST_NAMES
from importer.models import RuleSample
from importer.rule_editor_views import MOST_PASTED
from importer.views import reader

# Rows of a proposal that are shown, and files without a place among them.
MOST_ROWS = 15
MOST_LEFT = 5
MOST_EXAMPLES = 50
LARGEST_LIST = 4_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal as a page shows it. `hidden` places are not listed."""

    proposal: Proposal
    rows: Sequence[Row]
    left: Sequence[str]
    hidden: int

    @property
    def missing(self) -> int:
        return self.proposal.total - self.proposal.covered


@require_http_methods(["GET", "HEAD", "POST"])
def from_names(request: HttpRequest) -> HttpResponse:
    """First the names, then what they seem to say."""
    if request.method == "POST" and request.POST.get("do") == "paste":
        return _named(request)
    said = request.POST if request.method == "POST" else request.GET
    sample = rule_drafts.sample_of(request, said.get("sample", ""))
    examples = examples_of(request.POST)
    proposals = _proposed(request, sample, examples)
    context = {
        "sample": sample,
        "samples": list(samples.mine(request.user)),
        "proposals": [_shown(one) for one in proposals],
        "examples": [{"example": one, "json": as_json(one)} for one in examples],
        "most": {"names": MOST_NAMES, "pasted": MOST_PASTED},
    }
    response = render(request, "rule_sets/from_names.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _named(request: HttpRequest) -> HttpResponse:
    """Names become a sample, so that the same ones can be tried afterwards."""
    try:
        made = samples.from_paths(_names(request), actor=reader(request), now=timezone.now())
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("rule-set-names")
    return redirect(f"{reverse('rule-set-names')}?sample={made.pk}")


def _names(request: HttpRequest) -> str:
    files = rule_drafts.uploaded(request.FILES, "list")
    if not files:
        return request.POST.get("paths", "")
    if files[0].size > LARGEST_LIST:
        raise Refused(f"This list is too large: {MOST_NAMES:,} paths are enough.")
    try:
        return str(files[0].read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Refused("This file is no text: choose a list of paths, one per line.") from error


def _proposed(request: HttpRequest, sample: RuleSample | None, examples: Sequence[Example]) -> Sequence[Proposal]:
    if sample is None:
        return ()
    try:
        return propose([fact.path for fact in samples.facts_of(sample)], examples)
    except ProposalError as error:
        messages.error(request, str(error))
        return ()


def _shown(one: Proposal) -> Shown:
    rows = [row for row in one.rows if row.taken][:MOST_ROWS]
    hidden = sum(row.taken for row in one.rows) - len(rows)
    return Shown(one, rows, one.left[:MOST_LEFT], hidden)


def examples_of(said: QueryDict) -> list[Example]:
    """What was said before and is not taken back, and the rows that somebody has changed: the last word counts."""
    found = {one.path: one for text in said.getlist("example") if (one := _example(text))}
    columns = [said.getlist(key) for key in ("path", "subject", "session", "acquisition", "was")]
    for path, subject, session, acquisition, was in zip(*columns, strict=False):
        labels = (subject.strip(), session.strip(), acquisition.strip())
        if json.dumps(labels) != was and any(labels):
            found[path] = Example(path, *labels)
    found.pop(said.get("drop", ""), None)
    return list(found.values())[-MOST_EXAMPLES:]


def as_json(one: Example) -> str:
    return json.dumps([one.path, one.subject, one.session, one.acquisition])


def was(row: Row) -> str:
    """What a row says as it is shown, to see later whether somebody has changed it."""
    return json.dumps((row.subject, row.session, row.acquisition))


def _example(text: str) -> Example | None:
    """None for what no page of ours has written."""
    try:
        parts: Any = json.loads(text)
    except ValueError:
        return None
    if isinstance(parts, list) and len(parts) == 4 and all(isinstance(one, str) for one in parts):  # noqa: PLR2004
        return Example(*parts)
    return None
