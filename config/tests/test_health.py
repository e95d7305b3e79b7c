"""What a load balancer or a container asks."""

import pytest
from django.db import connection
from django.db.utils import OperationalError


@pytest.mark.django_db
def test_who_is_not_signed_in_may_ask_whether_it_serves(client):
    answer = client.get("/health")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_without_its_database_it_does_not_say_that_it_is_well(client, monkeypatch):
    def away():
        raise OperationalError("away")

    monkeypatch.setattr(connection, "cursor", away)
    client.raise_request_exception = False
    assert client.get("/health").status_code == 500
