"""Imports that run rules of their own."""

from textwrap import dedent

from importer.tests.pipeline.drive import run, start


def begun(project, folder, text, **options):
    """A job with these rules that nobody has begun."""
    return start(project, folder, rules_text=dedent(text), **options)


def ruled(project, folder, text, **options):
    return run(begun(project, folder, text, **options))
