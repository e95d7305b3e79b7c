import copy
import json
import logging
import pickle
import stat

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import ImproperlyConfigured

from config.env import encryption_keys, kept_secret, new_encryption_key
from storages.secrets import KeyMissing, Secret, opened, resealed

VALUE = "wJalrXUtnFEMI/K7MDENG"
SECRET = Secret.of(access_key="AKIAEXAMPLE", secret_key=VALUE, session_token="")


@pytest.mark.parametrize(
    "text",
    [
        repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET!r:>20}", ", ".join(map(str, [SECRET])), f"{[SECRET]}",
        f"{ {'it': SECRET} }", repr(vars(type("Holder", (), {"secret": SECRET}))),
    ],
)  # fmt: skip
def test_no_text_that_is_made_of_a_secret_tells_it(text):
    assert VALUE not in text
    assert "AKIA" not in text
    assert "***" in text


def test_a_log_line_and_an_error_do_not_tell_it(caplog):
    with caplog.at_level(logging.INFO):
        logging.getLogger("storages").info("opening with %s", SECRET)
    assert VALUE not in caplog.text
    assert VALUE not in str(ValueError(SECRET))


@pytest.mark.parametrize("copied", [pickle.dumps, json.dumps, copy.deepcopy])
def test_a_secret_does_not_travel(copied):
    with pytest.raises(TypeError):
        copied(SECRET)


def test_only_get_tells_a_value_and_an_empty_one_is_none():
    assert SECRET.get("secret_key") == VALUE
    assert SECRET.get("session_token") == SECRET.get("account_key") == ""
    assert SECRET.names() == {"access_key", "secret_key"}
    assert SECRET
    assert not Secret.of(account_key="")


def test_a_text_that_quotes_a_value_is_masked():
    assert SECRET.masked(f"no such key: {VALUE}, AKIAEXAMPLE") == "no such key: ***, ***"
    assert Secret.of(user="a").masked("a bad day") == "a bad day"


def test_what_is_sealed_is_opened_again_and_holds_no_value_in_the_clear():
    sealed = SECRET.sealed()
    assert VALUE.encode() not in sealed
    assert opened(sealed) == opened(memoryview(sealed)) == SECRET
    assert SECRET.sealed() != sealed
    assert opened(None) == opened(b"") == Secret()


def test_an_older_key_still_opens_and_the_first_one_seals(settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.PRATIQUE_SECRET_KEYS = [old]
    sealed = SECRET.sealed()
    settings.PRATIQUE_SECRET_KEYS = [new, old]
    assert opened(sealed) == SECRET
    again = resealed(sealed)
    settings.PRATIQUE_SECRET_KEYS = [new]
    assert opened(again) == SECRET
    with pytest.raises(KeyMissing, match="PRATIQUE_SECRET_KEYS"):
        opened(sealed)


def test_what_was_changed_in_the_database_is_refused(settings):
    sealed = bytearray(SECRET.sealed())
    sealed[-5] ^= 1
    with pytest.raises(KeyMissing):
        opened(bytes(sealed))
    with pytest.raises(InvalidToken):
        Fernet(settings.PRATIQUE_SECRET_KEYS[0]).decrypt(bytes(sealed))


def test_without_a_key_nothing_is_kept_in_the_clear(settings):
    settings.PRATIQUE_SECRET_KEYS = []
    with pytest.raises(KeyMissing, match="rotate_secrets --new-key"):
        SECRET.sealed()


class TestKeysOfTheEnvironment:
    def test_they_stand_between_commas_blanks_or_lines(self):
        one, other, third = (new_encryption_key() for _ in range(3))
        assert encryption_keys(f"{one}, {other}\n{third}\n") == [one, other, third]
        assert encryption_keys("") == []

    @pytest.mark.parametrize("bad", ["short", "x" * 44, "é" * 44, "QUJD" * 20])
    def test_what_is_no_key_stops_the_start_and_is_not_quoted(self, bad):
        with pytest.raises(ImproperlyConfigured, match="entry 2 is no key") as refused:
            encryption_keys(f"{new_encryption_key()},{bad}")
        assert bad not in str(refused.value)

    def test_an_embedded_installation_makes_one_for_its_owner_alone_and_keeps_it(self, tmp_path):
        path = tmp_path / "home" / "secret_keys"
        made = kept_secret(path, new_encryption_key)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert encryption_keys(made) == encryption_keys(kept_secret(path, new_encryption_key)) == [made]
