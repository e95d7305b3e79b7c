"""Writing rules, and trying them on files: one page, with and without script."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from hierarchy.errors import NotAllowed, Refused
from importer import rule_drafts, rule_sets, samples
from importer.core.rules.samples import EXAMPLES, MOST_NAMES
from importer.core.rules.trials import Wish
from importer.models import RuleSample
from importer.rule_choice import BadRules, RuleSetRow
from importer.rule_drafts import Draft, Tried
from importer.rule_words import STARTER
from importer.services import who_is
from importer.views import reader

# Characters that a form takes at once; what is longer comes as a file.
MOST_PASTED = 1_500_000
# Bytes of a file of rules that is opened; the text itself is measured when it is read.
LARGEST_FILE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is being written: a new rule set, a version of one, or nothing that is kept."""

    heading: str
    address: str
    row: RuleSetRow | None = None
    scopes: tuple[tuple[str, str], ...] = ()

    @property
    def can_save(self) -> bool:
        return self.row is not None or bool(self.scopes)


def visible_row(request: HttpRequest, key: str) -> RuleSetRow:
    """Raises Http404 also for a rule set that the reader may not see."""
    try:
        return rule_sets.find(request.user, key)
    except Refused as unknown:
        raise Http404 from unknown


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A rule set that is not there yet; `?from=` begins with the text of another."""
    found = tuple(rule_drafts.scopes(reader(request)))
    return _editor(request, Page(heading="New rule set", address=reverse("rule-set-new"), scopes=found))


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, rule_set_id: int) -> HttpResponse:
    row = visible_row(request, str(rule_set_id))
    if not rule_sets.may_change(reader(request), row):
        raise NotAllowed("You may try these rules and copy them; changing them is for those who manage their place.")
    return _editor(request, Page(heading=row.name, address=reverse("rule-set-edit", args=[rule_set_id]), row=row))


@require_http_methods(["GET", "HEAD", "POST"])
def trying(request: HttpRequest) -> HttpResponse:
    """Rules that need not be kept."""
    return _editor(request, Page(heading="Try rules", address=reverse("rule-set-try")))


@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """The fragment that comes while somebody types. Broken rules leave the results of the last whole ones."""
    draft = rule_drafts.posted(request)
    tried = rule_drafts.tried(draft)
    response = render(request, "rule_sets/_checked.html", {"draft": draft, "tried": tried, "oob": True})
    if tried.problems:
        response.headers["HX-Reswap"] = "none"
    response.headers["Cache-Control"] = "no-store"
    return response


def _editor(request: HttpRequest, page: Page) -> HttpResponse:
    if request.method != "POST":
        return _shown(request, page, _begun(request, page))
    draft = rule_drafts.posted(request)
    act = ACTS.get(request.POST.get("do", ""))
    if act is None:
        return _shown(request, page, draft)
    try:
        done = act(request, page, draft)
    except NotAllowed:
        raise
    except BadRules as bad:
        count = len(bad.problems)
        messages.error(request, f"Not saved: correct {count} mistake{'s' if count > 1 else ''} first.")
        done = draft
    except rule_sets.SavedMeanwhile as late:
        messages.error(request, f"{late} What you wrote is still here.")
        done = replace(draft, base=late.version)
    except Refused as refused:
        messages.error(request, str(refused))
        done = draft
    return done if isinstance(done, HttpResponse) else _shown(request, page, done)


def _begun(request: HttpRequest, page: Page) -> Draft:
    sample = rule_drafts.sample_of(request, request.GET.get("sample", ""))
    if page.row is not None:
        return rule_drafts.of_row(page.row, sample=sample)
    key = request.GET.get("from", "")
    if not key:
        return Draft(text=STARTER, sample=sample)
    return replace(rule_drafts.of_row(visible_row(request, key), sample=sample), name="", base=0)


def _shown(request: HttpRequest, page: Page, draft: Draft) -> HttpResponse:
    tried: Tried = rule_drafts.tried(draft)
    context = {
        "page": page,
        "draft": draft,
        "tried": tried,
        "samples": list(samples.mine(request.user)),
        "examples": len(EXAMPLES),
        "most": {
            "files": samples.MOST_UPLOADED,
            "bytes": samples.MOST_BYTES,
            "names": MOST_NAMES,
            "pasted": MOST_PASTED,
        },
    }
    response = render(request, "rule_sets/editor.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _save(request: HttpRequest, page: Page, draft: Draft) -> HttpResponse:
    actor = reader(request)
    if page.row is None:
        return _create(request, draft, actor)
    number = _saved(page.row, draft, actor)
    messages.success(request, f"Saved as version {number}." if number else "The description is saved.")
    return redirect("rule-set-page", page.row.key)


def _create(request: HttpRequest, draft: Draft, actor: User) -> HttpResponse:
    place = rule_drafts.place_of(draft.scope, actor)
    wanted = rule_sets.NewRuleSet(name=draft.name, text=draft.text, description=draft.description, **place)
    made = rule_sets.create(wanted, actor=actor, who=who_is(actor), now=timezone.now())
    messages.success(request, f"{made.name} is saved. Imports use it where they are told to, or make it the default.")
    return redirect("rule-set-page", str(made.pk))


def _saved(row: RuleSetRow, draft: Draft, actor: User) -> int:
    """The number of the new version; 0 where only the description is another."""
    assert row.id is not None  # noqa: S101  narrows: a built-in is never edited
    who, now = who_is(actor), timezone.now()
    if draft.text == rule_sets.text_of(row) and draft.description != row.description:
        rule_sets.describe(row.id, draft.description, actor=actor, who=who, now=now)
        return 0
    made = rule_sets.edit(
        row.id, draft.text, base=draft.base, description=draft.description, actor=actor, who=who, now=now
    )
    return made.number


def _with_sample(draft: Draft, made: RuleSample) -> Draft:
    return replace(draft, sample=made, wish=Wish())


def _upload(request: HttpRequest, page: Page, draft: Draft) -> Draft:
    del page
    made = samples.from_uploads(
        rule_drafts.uploaded(request.FILES, "files"),
        paths=request.POST.get("upload_paths", "").splitlines(),
        actor=reader(request),
        now=timezone.now(),
    )
    return _with_sample(draft, made)


def _paste(request: HttpRequest, page: Page, draft: Draft) -> Draft:
    del page
    made = samples.from_paths(request.POST.get("paths", ""), actor=reader(request), now=timezone.now())
    return _with_sample(draft, made)


def _forget(request: HttpRequest, page: Page, draft: Draft) -> Draft:
    del page
    if draft.sample is not None:
        samples.mine(request.user).filter(pk=draft.sample.pk).delete()
        messages.success(request, "The sample is gone.")
    return replace(draft, sample=None, wish=Wish())


def _open(request: HttpRequest, page: Page, draft: Draft) -> Draft:
    """A file of rules, which need not be right yet; or rules that another page has made."""
    del page
    files = rule_drafts.uploaded(request.FILES, "file")
    if not files:
        return draft
    (file,) = files[:1]
    if file.size > LARGEST_FILE:
        raise Refused("This file is too large to be rules: choose a YAML file.")
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("This file is no text: choose a YAML file with rules.") from error
    return replace(draft, text=rule_drafts.plain(text), name=rule_sets.stem(file.name)[:64])


Act = Callable[[HttpRequest, Page, Draft], HttpResponse | Draft]
ACTS: Mapping[str, Act] = {
    "save": _save,
    "upload": _upload,
    "paste": _paste,
    "forget": _forget,
    "open": _open,
}
