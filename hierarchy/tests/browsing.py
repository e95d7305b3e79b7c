"""Addresses of stored things, and what an answer says."""

import re

from django.urls import reverse


def addresses(version):
    file = version.file
    acquisition = file.acquisition
    return {
        "project": reverse("project", args=[acquisition.session.subject.project_id]),
        "subject": reverse("subject", args=[acquisition.session.subject_id]),
        "session": reverse("session", args=[acquisition.session_id]),
        "acquisition": reverse("acquisition", args=[acquisition.pk]),
        "file": reverse("file", args=[file.pk]),
        "file-header": reverse("file-header", args=[file.pk]),
        "file-picture": reverse("file-picture", args=[file.pk]),
        "file-download": reverse("file-download", args=[file.pk]),
    }


def body(response):
    return b"".join(response.streaming_content)


def read(response):
    """To the end: an answer that streams holds its file open until then."""
    return body(response) if response.streaming else response.content


def text(response):
    return re.sub(r"\s+", " ", response.content.decode())
