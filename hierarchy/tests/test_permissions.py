import pytest
from django.contrib.auth.models import AnonymousUser

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Group, Project, Role
from hierarchy.selectors import role_in, visible_projects
from hierarchy.services import ensure_project, find_project, may, require
from hierarchy.tests.factories import make_group, make_member, make_project, make_user

pytestmark = pytest.mark.django_db
ROLES = list(Role)


@pytest.fixture
def project():
    return make_project(group=make_group("radiology"), label="Trial One")


@pytest.fixture
def owner(project):
    return make_member(project=project, role=Role.ADMIN)


@pytest.fixture
def member(project):
    return make_member(project=project, role=Role.UPLOADER)


@pytest.fixture
def stranger():
    return make_member(project=make_project(), role=Role.ADMIN)


@pytest.mark.parametrize("has", ROLES)
@pytest.mark.parametrize("asked", ROLES)
def test_a_role_may_all_that_the_ones_before_it_may(project, has, asked):
    user = make_member(project=project, role=has)
    assert may(user, asked, project=project) == (ROLES.index(has) >= ROLES.index(asked))


def test_a_stranger_may_nothing_even_as_admin_of_another_project(project, stranger):
    assert not may(stranger, Role.VIEWER, project=project)


def test_require_refuses_with_the_missing_role_and_without_the_place(project, member):
    with pytest.raises(NotAllowed, match="data manager") as refusal:
        require(member, Role.DATA_MANAGER, project=project)
    assert "Trial" not in str(refusal.value)


def test_require_lets_pass_who_has_the_role(project, member):
    assert require(member, Role.UPLOADER, project=project) is None


def test_a_group_membership_counts_in_its_projects_alone(project):
    user = make_member(group=project.group, role=Role.DATA_MANAGER)
    assert may(user, Role.DATA_MANAGER, project=project)
    assert not may(user, Role.VIEWER, project=make_project())
    assert not may(user, Role.VIEWER)


def test_a_site_membership_counts_everywhere(project):
    user = make_member(role=Role.UPLOADER)
    assert may(user, Role.UPLOADER, project=project)
    assert may(user, Role.UPLOADER)


def test_a_project_membership_does_not_count_for_its_group(project, owner):
    assert not may(owner, Role.VIEWER, group=project.group)


def test_the_highest_of_several_memberships_counts(project):
    user = make_member(project=project, role=Role.VIEWER)
    make_member(user=user, group=project.group, role=Role.ADMIN)
    make_member(user=user, role=Role.UPLOADER)
    assert role_in(user, project) is Role.ADMIN


def test_a_superuser_is_admin_of_everything(project):
    assert role_in(make_user(is_superuser=True), project) is Role.ADMIN


def test_the_system_itself_may_everything(project):
    assert may(None, Role.ADMIN, project=project)


@pytest.mark.parametrize("superuser", [False, True])
def test_an_inactive_user_is_nobody(project, superuser):
    user = make_member(project=project, role=Role.ADMIN, is_active=False, is_superuser=superuser)
    assert role_in(user, project) is None
    assert not visible_projects(user).exists()


def test_an_anonymous_visitor_is_nobody(project):
    assert role_in(AnonymousUser(), project) is None
    assert not visible_projects(AnonymousUser()).exists()


def test_each_sees_only_the_projects_of_their_memberships(project, owner, member, stranger):
    assert list(visible_projects(owner)) == [project]
    assert list(visible_projects(member)) == [project]
    assert project not in visible_projects(stranger)


def test_group_site_and_superuser_see_the_project_once(project):
    for user in (
        make_member(user=make_member(group=project.group), project=project),
        make_member(),
        make_user(is_superuser=True),
        None,
    ):
        assert list(visible_projects(user)) == [project]


def test_visible_projects_takes_a_bounded_number_of_queries(project, member, django_assert_max_num_queries):
    for _ in range(5):
        make_member(user=member, project=make_project())
    with django_assert_max_num_queries(1):
        assert [str(found) for found in visible_projects(member)]


@pytest.mark.parametrize(
    "address",
    ["radiology/Trial One", "fw://radiology/Trial One", " pq://radiology/Trial One/ ", "radiology/ Trial One"],
)
def test_an_address_finds_its_project_whatever_stands_in_front(project, address):
    assert find_project(address) == project


@pytest.mark.parametrize("address", ["", "radiology", "radiology/", "/Trial One", "fw://radiology", "//"])
def test_what_is_no_address_is_refused_with_the_shape_of_one(project, address):
    with pytest.raises(Refused, match="GROUP/PROJECT LABEL"):
        find_project(address)


@pytest.mark.parametrize("address", ["radiology/trial one", "radiolgy/Trial One", "Radiology/Trial 1"])
def test_a_missing_project_is_refused_with_the_nearest_name(project, address):
    with pytest.raises(Refused, match=r"Did you mean radiology/Trial One\?"):
        find_project(address)


def test_a_stranger_learns_no_names_from_a_refusal(project, stranger):
    with pytest.raises(Refused) as refusal:
        find_project("radiology/Trial on", actor=stranger)
    assert "Did you mean" not in str(refusal.value)
    with pytest.raises(Refused):
        find_project("radiology/Trial One", actor=stranger)


def test_without_any_project_the_refusal_says_to_create_one():
    with pytest.raises(Refused, match="create one first"):
        find_project("radiology/Trial One")


def test_ensure_project_makes_group_and_project_once():
    made = ensure_project("fw://radiology/Trial One", actor=None)
    assert str(made) == "radiology/Trial One"
    assert ensure_project("radiology/Trial One", actor=None) == made
    assert (Group.objects.count(), Project.objects.count()) == (1, 1)


def test_a_group_admin_makes_a_project_in_the_group_and_no_other_group(project):
    user = make_member(group=project.group, role=Role.ADMIN)
    assert ensure_project("radiology/Trial Two", actor=user).group == project.group
    with pytest.raises(NotAllowed):
        ensure_project("cardiology/Trial Two", actor=user)


def test_who_is_no_admin_makes_no_project(project, member):
    with pytest.raises(NotAllowed):
        ensure_project("radiology/Trial Two", actor=member)
    assert ensure_project("radiology/Trial One", actor=member) == project


def test_a_stranger_gets_the_same_refusal_for_a_project_that_is_there_and_one_that_is_not(project, stranger):
    refusals = []
    for address in ("radiology/Trial One", "radiology/Trial Two"):
        with pytest.raises(NotAllowed) as refusal:
            ensure_project(address, actor=stranger)
        refusals.append(str(refusal.value))
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("Radiology/Trial", "lower-case"),
        ("x/Trial", "2 to 64"),
        ("radiology/" + "x" * 65, "at most 64"),
        ("radiology/a/b", "slashes"),
        ("radiology/a\nb", "control"),
        ("radiology/a\u202eb", "control"),
    ],
)
def test_names_that_cannot_be_are_refused_with_the_rule(address, why):
    with pytest.raises(Refused, match=why):
        ensure_project(address, actor=None)
