"""Who a store says that we are: nobody, somebody, or this machine; and what it says when that is not known."""

import json
from dataclasses import replace

import pytest
from azure.core.exceptions import ClientAuthenticationError

from scripts.private_stores import ACCESS_KEY
from storages.secrets import Secret
from storages.stores import AddressRefused, Kind, StoreAway, StoreConfig, StoreDenied, azure, patience, store_for

pytestmark = pytest.mark.service


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """This machine, without an identity in any cloud."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return monkeypatch


def denied(config):
    with pytest.raises(StoreDenied) as told:
        list(store_for(config).list())
    return str(told.value)


@pytest.mark.parametrize("s3_spot", ["strict-s3"], indirect=True)
class TestS3:
    def test_wrong_keys_are_told_apart(self, s3_spot):
        wrong_key = Secret.of(access_key="nobody", secret_key="x" * 20)
        wrong_secret = Secret.of(access_key=ACCESS_KEY, secret_key="x" * 20)
        assert "does not know this access key" in denied(replace(s3_spot.config, credentials=wrong_key))
        assert "does not belong to this access key" in denied(replace(s3_spot.config, credentials=wrong_secret))

    def test_without_credentials_it_asks_like_anybody(self, s3_spot, machine):
        """Never as the machine, whatever that may be."""
        machine.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        machine.setenv("AWS_SECRET_ACCESS_KEY", "only-for-tests")
        assert "refuses" in denied(replace(s3_spot.config, credentials=Secret()))

    def test_the_machines_own_identity_is_used_where_it_is_asked_for(self, s3_spot, machine):
        config = replace(s3_spot.config, credentials=Secret(), from_machine=True)
        assert "no identity" in denied(config)
        machine.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        machine.setenv("AWS_SECRET_ACCESS_KEY", "only-for-tests")
        s3_spot.plant("a", b"x")
        # Another region is another configuration, whose client looks for an identity anew.
        assert [one.key for one in store_for(replace(config, region="us-east-1", account="again")).list()] == ["a"]


def test_azure_tells_a_wrong_key(request, tmp_path, servers_here):
    from storages.tests.spots import made

    spot = made("azure", request, tmp_path)
    wrong = Secret.of(account_key="d3Jvbmc=")
    # Azure itself says AuthenticationFailed, the emulator a word that there means more.
    assert "refuses this with the credentials" in denied(replace(spot.config, credentials=wrong))
    with pytest.raises(StoreAway, match="not well formed"):
        store_for(replace(spot.config, credentials=Secret.of(connection_string="nonsense")))


def test_azure_without_an_identity_says_so(machine):
    config = StoreConfig(Kind.AZURE, "container", account="account", from_machine=True)

    def nothing(*_args, **_how):
        raise ClientAuthenticationError("no credential in this chain provided a token")

    machine.setattr(patience, "CLIENT_ATTEMPTS", 1)
    machine.setattr(azure.DefaultAzureCredential, "get_token", nothing)
    machine.setattr(azure.DefaultAzureCredential, "get_token_info", nothing)
    assert "no identity" in denied(config)


class TestGoogle:
    CONFIG = StoreConfig(Kind.GOOGLE, "bucket")

    def test_a_machine_without_identity_says_so(self, machine):
        assert "no identity" in denied(replace(self.CONFIG, from_machine=True))

    @pytest.mark.parametrize("text", ["no json", "{}", '{"type": "service_account"}'])
    def test_a_key_that_is_none_is_said_to_be(self, text):
        config = replace(self.CONFIG, credentials=Secret.of(service_account=text))
        with pytest.raises(StoreAway, match="not well formed"):
            store_for(config)

    def test_a_key_cannot_send_us_to_an_address_inside(self):
        """People write keys, and a key names the server where it is exchanged for a token."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        info = {
            "type": "service_account",
            "client_email": "a@example.org",
            "private_key": private.decode(),
            "token_uri": "http://169.254.169.254/computeMetadata/v1/token",
        }
        config = replace(self.CONFIG, credentials=Secret.of(service_account=json.dumps(info)))
        with pytest.raises(AddressRefused, match=r"169\.254\.169\.254"):
            list(store_for(config).list())


def test_addresses_inside_are_refused_by_every_client():
    for config in (
        StoreConfig(Kind.S3, "bucket", endpoint="http://127.0.0.1:9", credentials=Secret.of(access_key="a", secret_key="b")),
        StoreConfig(Kind.AZURE, "bucket", endpoint="http://127.0.0.1:9/account", account="account"),
        StoreConfig(
            Kind.AZURE, "bucket",
            credentials=Secret.of(connection_string="BlobEndpoint=http://169.254.169.254/x;SharedAccessSignature=sig=1"),
        ),
        StoreConfig(Kind.GOOGLE, "bucket", endpoint="http://10.0.0.1:9"),
    ):  # fmt: skip
        with pytest.raises(AddressRefused):
            list(store_for(config).list())
        with pytest.raises(AddressRefused):
            store_for(config).stat("a")
