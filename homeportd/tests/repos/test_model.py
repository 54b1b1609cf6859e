"""Ids, and what of a remote's address may be shown."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.repos.model import WorkingTree, handover, ids, without_credentials

ROOT = Path("/srv/repos")


def test_a_folder_directly_below_the_root_has_its_plain_name():
    paths = [Path("/home/ada/shop"), ROOT / "github.com/ada/shop", ROOT / "shop", ROOT / "blog"]
    found = ids(ROOT, paths)
    assert found[ROOT / "shop"] == "shop"
    assert found[ROOT / "blog"] == "blog"
    assert re.fullmatch("shop-[0-9a-f]{4}", found[Path("/home/ada/shop")])


def test_a_repo_below_the_root_comes_before_one_elsewhere():
    assert ids(ROOT, [Path("/a/shop"), ROOT / "x/shop"])[ROOT / "x/shop"] == "shop"


def test_an_id_fits_into_an_address_and_a_command():
    assert ids(ROOT, [ROOT / "my shop (old)"]) == {ROOT / "my shop (old)": "my-shop-old"}
    assert ids(ROOT, [ROOT / "数"]) == {ROOT / "数": "repo"}


paths = st.lists(
    st.sampled_from("ab").map(str) | st.sampled_from(["c d", "c-d"]), min_size=1, max_size=3
).map(lambda parts: ROOT.joinpath(*parts))


@given(st.sets(paths, max_size=12), st.randoms(use_true_random=False))
def test_ids_are_unique_and_do_not_depend_on_the_order(found, order: random.Random):
    shuffled = sorted(found)
    order.shuffle(shuffled)
    named = ids(ROOT, shuffled)
    assert named == ids(ROOT, found)
    assert len(set(named.values())) == len(found)
    assert all(re.fullmatch("[A-Za-z0-9._-]+", name) for name in named.values())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://github.com/ada/shop.git", "https://github.com/ada/shop.git"),
        ("https://ada:secret@github.com/ada/shop", "https://github.com/ada/shop"),
        ("https://ghp_secret@github.com/ada/shop", "https://github.com/ada/shop"),
        ("https://ada:p@secret@github.com/ada/shop", "https://github.com/ada/shop"),
        ("https://oauth2:secret@host:8443/x?private_token=secret#secret", "https://host:8443/x"),
        ("HTTPS://secret@host/x", "HTTPS://host/x"),
        ("ssh://git@github.com/ada/shop", "ssh://git@github.com/ada/shop"),
        ("ssh://git:secret@host:22/x", "ssh://git@host:22/x"),
        ("git@github.com:ada/shop.git", "git@github.com:ada/shop.git"),
        ("helper::https://ada:secret@host/x", "helper::https://host/x"),
        ("/srv/git/shop.git", "/srv/git/shop.git"),
        ("https://host/@scope/x", "https://host/@scope/x"),
        ("https://ada:secret@ho\x1b[31mst/x", "https://ho[31mst/x"),
    ],
)
def test_a_remote_is_shown_without_what_is_secret(url, shown):
    assert without_credentials(url) == shown
    assert "secret" not in shown


word = st.text(
    st.characters(codec="ascii", exclude_characters="/?#@:", categories=["L", "N", "P", "S"]), max_size=8
)


@given(st.sampled_from(["https", "http", "ftp", "ssh"]), word, st.sampled_from(["host", "host:1"]), word)
def test_no_password_is_ever_shown(scheme, name, host, path):
    shown = without_credentials(f"{scheme}://{name}:pass-word@{host}/{path}")
    assert "pass-word" not in shown
    assert host in shown


HOMES = frozenset(map(Path, ("/root", "/home/ada", "/var/lib/games", "/srv/homes/bob")))
TARGET = Path("/srv/homeport/repos/proj")


def tree(path, common=None):
    path = Path(path)
    return WorkingTree(path, path / ".git", Path(common or path / ".git"), "main", None, 0)


@pytest.mark.parametrize(
    ("path", "common", "reachable", "commands"),
    [
        ("/srv/proj", None, True, ["chown -R ada: /srv/proj"]),
        ("/root/proj", None, False, [f"mv /root/proj {TARGET}", f"chown -R ada: {TARGET}"]),
        ("/srv/tree", "/srv/clone/.git", True, ["chown -R ada: /srv/tree /srv/clone/.git"]),
        # A linked worktree that is moved is lost to its clone.
        ("/root/tree", "/root/clone/.git", False, []),
        # The system's, somebody's whole home, and what holds homes.
        ("/etc", None, True, []),
        ("/etc/nginx", None, True, []),
        ("/usr/local", None, True, []),
        ("/usr/local/src/proj", None, True, ["chown -R ada: /usr/local/src/proj"]),
        ("/usr/local/src", None, True, []),
        ("/var/www/site", None, True, ["chown -R ada: /var/www/site"]),
        ("/var/lib/games", None, True, []),
        ("/srv", None, True, []),
        ("/root", None, False, []),
        ("/home/ada", None, False, []),
        ("/srv/homes", None, True, []),
    ],
)
def test_a_repo_is_handed_over_where_that_does_no_harm(path, common, reachable, commands):
    found = handover(tree(path, common), "ada", reachable, TARGET, HOMES)
    assert [" ".join(words) for words in found] == commands
