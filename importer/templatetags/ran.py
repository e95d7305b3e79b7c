"""The rules that an import ran, in a word and a link."""

from typing import Any

from django import template

from importer.core import names
from importer.core.rules.builtin import BUILT_IN
from importer.models import ImportJob

register = template.Library()


@register.filter
def as_lines(text: str) -> str:
    """Line by line, with every other control character spelled out."""
    return "\n".join(names.shown(line) for line in text.splitlines())


@register.inclusion_tag("importer/_rules.html")
def ran_rules(job: ImportJob) -> dict[str, Any]:
    """`key` is what the page of the rule set is called, empty for rules that came with the import."""
    version = job.rules_version
    key = str(version.rule_set_id) if version else job.rules if job.rules in BUILT_IN else ""
    return {"name": job.rules, "key": key, "number": version.number if version else None}
