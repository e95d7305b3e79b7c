"""The check against real servers: what a person reads when a storage is set up wrongly."""

import socket
from dataclasses import replace
from ipaddress import ip_network

import pytest

from storages.checks import NAME, check
from storages.models import Health
from storages.secrets import Secret
from storages.stores import Kind, StoreConfig
from storages.tests.spots import made

pytestmark = pytest.mark.service


def outcomes(report) -> list[str]:
    return [f"{step.name.value} {step.outcome.value}" for step in report.steps]


WELL = ["open ok", "list ok", "stat ok", "read ok", "put ok", "delete ok"]


def test_a_store_that_works_passes_every_step_and_is_left_as_it_was(spot):
    spot.plant("a/one", b"x" * 100)
    spot.plant("two", b"x" * 2000)
    report = check(spot.config, write=True)
    assert outcomes(report) == WELL, report
    assert "100 bytes" in report.steps[3].words
    assert [one.key for one in spot.store.list() if NAME in one.key] == []
    assert check(spot.config, write=False, known_as=report.identity).health == Health.OK


def test_below_a_prefix_only_what_lies_there_is_looked_at(spot):
    for key in ("other/one", "mine/one", "mine2"):
        spot.plant(key, b"x")
    report = check(replace(spot.config, prefix="mine"), write=True)
    assert outcomes(report) == WELL, report
    assert "1 name." in report.steps[1].words


@pytest.fixture
def strict(request, tmp_path):
    return made("strict-s3", request, tmp_path)


@pytest.fixture(autouse=True)
def _servers_are_allowed(settings):
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


class TestWords:
    def test_a_wrong_secret_key(self, strict):
        wrong = Secret.of(access_key=strict.config.credentials.get("access_key"), secret_key="not-the-secret-key")
        report = check(replace(strict.config, credentials=wrong), write=False)
        assert outcomes(report) == ["open ok", "list failed"]
        assert "secret" in report.words.lower()
        assert "not-the-secret-key" not in report.words

    def test_an_access_key_that_nobody_knows(self, strict):
        wrong = Secret.of(access_key="AKIANOBODY", secret_key="not-the-secret-key")
        report = check(replace(strict.config, credentials=wrong), write=False)
        assert report.health == Health.FAILED
        assert "key" in report.words.lower()
        assert "AKIANOBODY" not in report.words

    @pytest.mark.parametrize("kind", ["s3", "azure", "google"])
    def test_a_bucket_that_is_not_there(self, kind, request, tmp_path):
        spot = made(kind, request, tmp_path)
        report = check(replace(spot.config, bucket="there-is-none-of-this-name"), write=False)
        assert outcomes(report)[-1] == "list failed"
        assert "of this name" in report.words

    def test_a_port_where_nobody_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = StoreConfig(Kind.S3, "images", endpoint=f"http://127.0.0.1:{port}", region="us-east-1")
        report = check(config, write=False)
        assert report.health == Health.FAILED
        assert "cannot be reached" in report.words

    def test_tls_where_there_is_none(self, strict):
        endpoint = strict.config.endpoint.replace("http://", "https://")
        report = check(replace(strict.config, endpoint=endpoint), write=False)
        assert report.health == Health.FAILED
        assert "No safe connection" in report.words

    def test_an_address_inside_this_network(self, strict, settings):
        settings.PRATIQUE_ALLOWED_NETWORKS = []
        report = check(replace(strict.config, region="eu-west-1"), write=False)
        assert report.health == Health.FAILED
        assert "PRATIQUE_ALLOWED_NETWORKS" in report.words
