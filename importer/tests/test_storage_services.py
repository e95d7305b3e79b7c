"""Who makes, changes, sees and deletes storages, and what of it is refused."""

import json

import pytest
from django.db import IntegrityError, transaction

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Group, Membership, Project
from importer import storage_queries, storage_services
from importer.models import Event
from importer.storage_address import Address
from importer.storage_queries import StorageChoice
from importer.storage_services import Scope, SignIn, StorageEdit
from importer.tests.factories import START, make_job, make_project
from importer.tests.storages import KEYS, WHO, make, new_bucket, new_local
from storages.health import config_of
from storages.models import Direction, ExternalStorage, Health
from storages.stores import Kind

pytestmark = pytest.mark.django_db
BY = {"who": WHO, "now": START}


@pytest.fixture
def folder(tmp_path, places):
    made = tmp_path / "pacs"
    made.mkdir()
    return made


class TestMaking:
    def test_a_folder_is_kept_with_its_real_path_and_an_event(self, folder, tmp_path):
        (tmp_path / "link").symlink_to(folder)
        made = make(new_local(tmp_path / "link", description=" Old scanner. "))
        assert (made.kind, made.bucket, made.prefix) == ("fs", str(folder), "")
        assert made.description == "Old scanner."
        assert (made.health, made.next_check_at) == (Health.UNCHECKED, START)
        event = Event.objects.get(storage_id=made.pk)
        assert (event.what, event.who) == ("storage made", WHO)

    def test_credentials_are_kept_encrypted_and_read_again(self, db):
        made = make(new_bucket())
        stored = ExternalStorage.objects.values().get(pk=made.pk)
        assert KEYS["secret_key"] not in repr({**stored, "credentials": bytes(stored["credentials"])})
        assert config_of(made).credentials.get("secret_key") == KEYS["secret_key"]
        assert made.credentials_at == START

    def test_only_an_admin_of_the_site_makes_one(self, people, folder):
        for actor in (people.viewer, people.uploader, people.data_manager, people.admin, people.stranger):
            with pytest.raises(NotAllowed, match="admin of the site"):
                storage_services.create(new_local(folder), actor=actor, **BY)
        assert not ExternalStorage.objects.exists()
        storage_services.create(new_local(folder), actor=people.site_admin, **BY)
        Membership.objects.create(user=people.stranger, role="admin")
        storage_services.create(new_local(folder, label="second"), actor=people.stranger, **BY)

    @pytest.mark.parametrize("label", ["", " ", "7", "-a", "a/b", "x" * 65, "a\nb", "<b>"])
    def test_a_label_has_to_be_one(self, folder, label):
        with pytest.raises(Refused, match=r"label|number"):
            make(new_local(folder, label=label))

    def test_a_label_is_given_once(self, folder):
        make(new_local(folder, label="Scans"))
        with pytest.raises(Refused, match="choose another"):
            make(new_local(folder, label="scans"))

    def test_a_folder_outside_the_roots_is_refused(self, folder, tmp_path, settings):
        settings.PRATIQUE_LOCAL_ROOTS = [tmp_path / "elsewhere"]
        with pytest.raises(Refused, match="PRATIQUE_LOCAL_ROOTS"):
            make(new_local(folder))

    def test_a_link_does_not_lead_out_of_the_roots(self, folder, tmp_path, settings):
        settings.PRATIQUE_LOCAL_ROOTS = [folder]
        (folder / "out").symlink_to(tmp_path)
        with pytest.raises(Refused, match="PRATIQUE_LOCAL_ROOTS"):
            make(new_local(folder / "out"))
        with pytest.raises(Refused, match="PRATIQUE_LOCAL_ROOTS"):
            make(new_local(folder, prefix="out"))

    @pytest.mark.parametrize("path", ["", "pacs", "../pacs"])
    def test_a_folder_is_given_by_its_whole_path(self, folder, path):
        with pytest.raises(Refused, match="folder"):
            make(new_local(path))

    def test_a_folder_of_our_own_bytes_is_refused(self, places):
        places.archive.mkdir()
        with pytest.raises(Refused, match="our own bytes"):
            make(new_local(places.archive))

    @pytest.mark.parametrize("prefix", ["a/../b", "a//b", "./a", "a\0b", "a\nb", "é" * 600])
    def test_a_prefix_leads_nowhere_else(self, prefix):
        with pytest.raises(Refused, match="prefix"):
            make(new_bucket(place={"prefix": prefix}))

    def test_a_prefix_is_a_folder_however_it_is_written(self):
        assert make(new_bucket(place={"prefix": " /a/b/ "})).prefix == "a/b"

    def test_an_address_may_be_pasted_whole(self):
        assert make(new_bucket(place={"bucket": "s3://images/a/b"})).address == "s3://images/a/b"
        azure = make(
            new_bucket(
                label="az", place={"kind": Kind.AZURE, "bucket": "az://people/images/a"},
                sign_in=SignIn(credentials={"account_key": "a2V5"}),
            )
        )  # fmt: skip
        assert (azure.account, azure.bucket, azure.prefix) == ("people", "images", "a")
        with pytest.raises(Refused, match="another kind"):
            make(new_bucket(place={"bucket": "gs://images"}))

    @pytest.mark.parametrize(
        ("kind", "given"),
        [
            (Kind.S3, {"access_key": "AKIAX"}),
            (Kind.S3, {"secret_key": "hush-hush"}),
            (Kind.S3, {"account_key": "hush-hush"}),
            (Kind.AZURE, {"account_key": "hush-hush", "sas_token": "hush-hush"}),
            (Kind.GOOGLE, {"service_account": "hush-hush"}),
            (Kind.GOOGLE, {"service_account": json.dumps({"type": "external_account", "private_key": "hush-hush"})}),
            (Kind.GOOGLE, {"service_account": json.dumps({"type": "service_account", "private_key": "hush-hush"})}),
            (
                Kind.GOOGLE,
                {
                    "service_account": json.dumps(
                        {
                            "type": "service_account", "client_email": "a@b", "private_key": "hush-hush",
                            "token_uri": "http://169.254.169.254/token",
                        }
                    )
                },
            ),
            (Kind.AZURE, {"connection_string": "AccountKey=hush-hush;BlobEndpoint=http://127.0.0.1:1/x"}),
            (Kind.LOCAL, {"secret_key": "hush-hush"}),
        ],
    )  # fmt: skip
    def test_credentials_that_do_not_belong_together_are_refused_and_not_quoted(self, folder, kind, given):
        place = {"kind": kind, "bucket": str(folder) if kind == Kind.LOCAL else "images"}
        place |= {"account": "people"} if kind == Kind.AZURE else {}
        with pytest.raises(Refused) as refused:
            make(new_bucket(place=place, sign_in=SignIn(credentials=given)))
        assert "hush" not in str(refused.value)
        assert "hush" not in repr(new_bucket(place=place, sign_in=SignIn(credentials=given)))

    def test_either_credentials_or_the_machines_own_identity(self):
        with pytest.raises(Refused, match="leave one out"):
            make(new_bucket(sign_in=SignIn(credentials=KEYS, from_machine=True)))
        made = make(new_bucket(sign_in=SignIn(from_machine=True)))
        assert made.from_machine
        assert made.credentials is None

    @pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "http://169.254.169.254", "ftp://x", "s3.example"])
    def test_an_endpoint_inside_this_network_is_refused(self, endpoint):
        with pytest.raises(Refused, match=r"PRATIQUE_ALLOWED_NETWORKS|https://HOST"):
            make(new_bucket(place={"endpoint": endpoint}))

    def test_without_a_key_to_encrypt_with_nothing_is_kept(self, settings):
        settings.PRATIQUE_SECRET_KEYS = []
        with pytest.raises(Refused, match="PRATIQUE_SECRET_KEYS"):
            make(new_bucket())
        assert not ExternalStorage.objects.exists()


class TestChanging:
    def test_only_what_is_said_changes_and_the_event_names_it_without_a_value(self):
        made = make(new_bucket())
        other = {"access_key": "AKIAOTHER", "secret_key": "something-else-entirely"}
        edit = StorageEdit(label="renamed", sign_in=SignIn(credentials=other))
        kept = storage_services.update(made.pk, edit, actor=None, **BY)
        assert (kept.label, kept.bucket, kept.direction) == ("renamed", "images", "import")
        assert config_of(kept).credentials.get("access_key") == "AKIAOTHER"
        assert Event.objects.filter(storage_id=made.pk).first().detail == "credentials, label"
        assert not Event.objects.filter(detail__contains="AKIA").exists()

    def test_nothing_new_is_no_event(self):
        made = make(new_bucket())
        storage_services.update(made.pk, StorageEdit(label="bucket", direction=Direction.IMPORT), actor=None, **BY)
        assert Event.objects.filter(storage_id=made.pk).count() == 1

    def test_saved_credentials_are_not_sent_to_a_server_that_nobody_entered_them_for(self):
        made = make(new_bucket())
        with pytest.raises(Refused, match="enter them again"):
            storage_services.update(made.pk, StorageEdit(endpoint="https://1.1.1.1"), actor=None, **BY)
        edit = StorageEdit(endpoint="https://1.1.1.1", sign_in=SignIn(credentials=KEYS))
        assert storage_services.update(made.pk, edit, actor=None, **BY).endpoint == "https://1.1.1.1"

    def test_what_the_last_check_said_no_longer_counts_where_it_was_about_something_else(self):
        made = make(new_bucket())
        ExternalStorage.objects.update(health="ok", checked_at=START, identity="s3:aws/images")
        storage_services.update(made.pk, StorageEdit(label="renamed"), actor=None, **BY)
        assert ExternalStorage.objects.get().health == Health.OK
        kept = storage_services.update(made.pk, StorageEdit(direction=Direction.BOTH), actor=None, **BY)
        assert (kept.health, kept.checked_at, kept.next_check_at) == (Health.UNCHECKED, None, START)

    def test_signing_in_like_anybody_forgets_the_credentials(self):
        made = make(new_bucket())
        kept = storage_services.update(made.pk, StorageEdit(sign_in=SignIn()), actor=None, **BY)
        assert (kept.credentials, kept.credentials_at, kept.from_machine) == (None, None, False)

    def test_a_label_that_is_taken_is_refused(self):
        make(new_bucket(label="first"))
        second = make(new_bucket(label="second"))
        with pytest.raises(Refused, match="choose another"):
            storage_services.update(second.pk, StorageEdit(label="First"), actor=None, **BY)

    @pytest.mark.parametrize("edit", [StorageEdit(endpoint="https://1.1.1.1"), StorageEdit(region="eu-west-1")])
    def test_a_folder_gets_no_service(self, folder, edit):
        made = make(new_local(folder))
        with pytest.raises(Refused, match=r"endpoint|region"):
            storage_services.update(made.pk, edit, actor=None, **BY)

    def test_its_scope_changes(self, project):
        made = make(new_bucket())
        kept = storage_services.update(made.pk, StorageEdit(scope=Scope(project=project)), actor=None, **BY)
        assert kept.project == project
        kept = storage_services.update(made.pk, StorageEdit(scope=Scope()), actor=None, **BY)
        assert kept.project is None

    def test_only_an_admin_of_the_site_changes_moves_or_deletes_one(self, people):
        made = make(new_bucket())
        for verb in (
            lambda actor: storage_services.update(made.pk, StorageEdit(label="x"), actor=actor, **BY),
            lambda actor: storage_services.move(made.pk, "other", actor=actor, **BY),
            lambda actor: storage_services.delete(made.pk, actor=actor, **BY),
        ):
            with pytest.raises(NotAllowed):
                verb(people.admin)
            with pytest.raises(Refused, match="There is no storage"):
                verb(people.stranger)
        assert ExternalStorage.objects.get().label == "bucket"

    def test_what_was_moved_as_a_whole_is_found_there_under_the_same_prefix(self):
        made = make(new_bucket(place={"prefix": "a"}))
        ExternalStorage.objects.update(identity="s3:aws/images")
        kept = storage_services.move(made.pk, "elsewhere", actor=None, **BY)
        assert (kept.bucket, kept.prefix, kept.moved, kept.identity) == ("elsewhere", "a", 1, "")
        event = Event.objects.filter(storage_id=made.pk).first()
        assert event.detail == "from s3://images/a to s3://elsewhere/a"
        with pytest.raises(Refused, match="prefix"):
            storage_services.move(made.pk, "s3://elsewhere/b", actor=None, **BY)


class TestDeleting:
    def test_what_nothing_is_bound_to_goes_and_its_event_stays(self):
        made = make(new_bucket())
        storage_services.delete(made.pk, actor=None, **BY)
        assert not ExternalStorage.objects.exists()
        assert Event.objects.filter(storage_id=made.pk).first().what == "storage deleted"

    def test_what_an_import_came_from_stays(self, project):
        made = make(new_bucket())
        make_job(project, source_kind="storage", storage=made)
        with pytest.raises(Refused, match=r"1 import job.*switch it off"):
            storage_services.delete(made.pk, actor=None, **BY)
        assert ExternalStorage.objects.exists()
        assert not Event.objects.filter(what="storage deleted").exists()


@pytest.fixture
def scoped(project):
    """One of the site, one of the group lab, one of the project lab/Brain, and one of another project."""
    other = make_project("other/Heart")
    scopes = {
        "site": Scope(), "group": Scope(group=project.group), "project": Scope(project=project),
        "elsewhere": Scope(project=other),
    }  # fmt: skip
    return {label: make(new_bucket(label=label, scope=scope)) for label, scope in scopes.items()}


class TestWhoSeesThem:
    @pytest.mark.parametrize(
        ("who", "seen", "used"),
        [
            ("stranger", "", ""),
            ("viewer", "group site", ""),
            ("uploader", "group project site", "group project site"),
            ("data_manager", "group project site", "group project site"),
            ("admin", "group project site", "group project site"),
            ("site_admin", "elsewhere group project site", "elsewhere group project site"),
        ],
    )
    def test_by_role(self, people, scoped, who, seen, used):
        actor = getattr(people, who)
        assert " ".join(storage_queries.listed(actor).values_list("label", flat=True)) == seen
        assert sorted(storage_queries.usable(actor).values_list("label", flat=True)) == used.split()

    def test_a_role_in_the_group_counts_in_its_projects(self, people, scoped, project):
        Membership.objects.create(user=people.stranger, group=project.group, role="uploader")
        assert set(storage_queries.usable(people.stranger)) == {scoped[name] for name in ("group", "project", "site")}

    def test_a_role_on_the_site_counts_everywhere(self, people, scoped):
        Membership.objects.create(user=people.stranger, role="viewer")
        labels = set(storage_queries.visible(people.stranger).values_list("label", flat=True))
        assert labels == {"group", "site"}

    def test_a_role_in_another_project_of_the_group_shows_the_groups(self, people, scoped, project):
        sibling = Project.objects.create(group=project.group, label="Knee")
        Membership.objects.create(user=people.stranger, project=sibling, role="viewer")
        labels = set(storage_queries.visible(people.stranger).values_list("label", flat=True))
        assert labels == {"group", "site"}

    def test_an_account_that_was_switched_off_sees_none(self, people, scoped):
        people.uploader.is_active = False
        people.uploader.save()
        assert not storage_queries.visible(people.uploader).exists()

    def test_who_may_only_look_does_not_look_inside(self, people, scoped):
        for verb in (storage_services.browse, lambda pk, actor: storage_services.check(pk, actor=actor, who="user v")):
            with pytest.raises(NotAllowed, match="uploader"):
                verb(scoped["site"].pk, actor=people.viewer)
            with pytest.raises(Refused, match="There is no storage"):
                verb(scoped["project"].pk, actor=people.viewer)

    def test_a_list_is_narrowed(self, scoped):
        storage_services.update(scoped["site"].pk, StorageEdit(enabled=False), actor=None, **BY)
        storage_services.update(scoped["group"].pk, StorageEdit(direction=Direction.BOTH), actor=None, **BY)

        def labels(**choice):
            found = storage_queries.listed(None, StorageChoice(**choice))
            return " ".join(found.values_list("label", flat=True))

        assert labels(health="off") == "site"
        assert labels(health="unchecked") == "elsewhere group project"
        assert labels(direction="export") == "group"
        assert labels(kind="fs") == ""
        assert labels(words="ROUP") == "group"

    def test_one_is_found_by_its_label_or_number(self, people, scoped):
        assert storage_queries.find(people.uploader, "GROUP") == scoped["group"]
        assert storage_queries.find(people.uploader, str(scoped["project"].pk)) == scoped["project"]
        with pytest.raises(Refused, match="There is no storage elsewhere"):
            storage_queries.find(people.uploader, "elsewhere")


def test_a_group_or_project_with_a_storage_is_not_deleted_under_it(scoped, project):
    from django.db.models import ProtectedError

    with pytest.raises(ProtectedError):
        Group.objects.filter(pk=project.group_id).delete()


def test_an_import_reads_a_storage_only_if_its_source_is_one(project):
    made = make(new_bucket())
    make_job(project, source_kind="storage", storage=made)
    with pytest.raises(IntegrityError, match="job_reads_one_storage"), transaction.atomic():
        make_job(project, source_kind="folder", storage=made)


def test_an_address_that_lies_inside_another():
    from importer.storage_address import inside

    def local(path, prefix=""):
        return Address(kind=Kind.LOCAL, bucket=path, prefix=prefix)

    def bucket(prefix, name="b", **more):
        return Address(kind=Kind.S3, bucket=name, prefix=prefix, **more)

    assert inside(local("/mnt/pacs/a"), local("/mnt/pacs"))
    assert inside(local("/mnt", "pacs/a"), local("/mnt/pacs"))
    assert not inside(local("/mnt/pacs2"), local("/mnt/pacs"))
    assert inside(bucket("a/b"), bucket("a"))
    assert inside(bucket("a"), bucket(""))
    assert not inside(bucket("ab"), bucket("a"))
    assert not inside(bucket("a", name="c"), bucket("a"))
    assert not inside(bucket("a", endpoint="https://x"), bucket("a"))
    assert not inside(local("/b"), bucket(""))
