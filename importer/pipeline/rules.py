"""The rules that a job runs, parsed once per worker."""

from functools import lru_cache

from importer.core.rules.builtin import BUILT_IN
from importer.core.rules.model import Rule, RuleSet
from importer.core.rules.parsing import parse
from importer.models import ImportJob


def rules_of(job: ImportJob) -> RuleSet:
    """As they were when the job began. Raises RuleError for a text that nobody should have let in."""
    return parsed(job.rules_text or BUILT_IN[job.rules].text)


@lru_cache(maxsize=64)
def parsed(text: str) -> RuleSet:
    """Raises RuleError."""
    return parse(text)


def rule_of(rules: RuleSet, number: int) -> Rule:
    """By the number that a Placement keeps."""
    return rules.rules[number - 1]
