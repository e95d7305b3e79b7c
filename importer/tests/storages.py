"""What tests of storages make: folders that may be one, requests, and the ways of a person."""

from importer import storage_services
from importer.storage_address import Address
from importer.storage_services import NewStorage, SignIn
from importer.tests.factories import START
from storages.models import ExternalStorage
from storages.stores import Kind

WHO = "user site-admin@example.org"
KEYS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


def new_local(path, **fields) -> NewStorage:
    prefix = fields.pop("prefix", "")
    address = Address(kind=Kind.LOCAL, bucket=str(path), prefix=prefix)
    return NewStorage(**{"label": "scans", "address": address, **fields})


def new_bucket(**fields) -> NewStorage:
    place = {"kind": Kind.S3, "bucket": "images", **fields.pop("place", {})}
    return NewStorage(**{"label": "bucket", "address": Address(**place), "sign_in": SignIn(credentials=KEYS), **fields})


def make(new: NewStorage) -> ExternalStorage:
    return storage_services.create(new, actor=None, who=WHO, now=START)
