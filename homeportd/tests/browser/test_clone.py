"""Cloning on the dashboard, its job, and what the settings keep for git."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from ..repos.git_server import git_server
from .conftest import palette


def test_a_repository_is_cloned_and_its_job_is_told(workstation, page):
    source = workstation.repo("source")
    palette(page, "clone a rep")
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name="Clone a repository")
    sheet.get_by_label("Address").fill(str(source))
    sheet.get_by_text("Branch, folder").click()
    sheet.get_by_label("Folder").fill("copies/shop")
    expect(sheet).to_contain_text("It becomes the repo copies/shop.")
    sheet.get_by_role("button", name="Clone").click()
    expect(sheet).to_have_count(0)
    expect(page.locator("[data-repo], li").get_by_role("link", name="shop", exact=True)).to_be_visible()
    # The end of the job is told, and it is in the list of jobs, with its log.
    page.get_by_role("link", name="Activity").click()
    job = page.locator("[data-job]").first
    expect(job).to_contain_text("done")
    job.get_by_role("button", name="Log of").click()
    expect(job).to_contain_text("cloned into")


def test_a_clone_that_fails_says_why_until_it_is_put_away(workstation, page, tmp_path):
    page.evaluate("location.hash = '#/clone'")
    sheet = page.get_by_role("dialog", name="Clone a repository")
    with git_server(tmp_path) as server:
        sheet.get_by_label("Address").fill(f"{server.url}/none.git")
        sheet.get_by_role("button", name="Clone").click()
        job = page.get_by_role("region", name="Jobs").locator("[data-job]")
        expect(job).to_contain_text("No such repository")
    job.get_by_role("button", name="Put away").click()
    expect(page.get_by_role("region", name="Jobs")).to_have_count(0)


def test_a_clone_is_cancelled_on_its_row(workstation, page, tmp_path):
    with git_server(tmp_path) as server:
        server.hold.clear()
        workstation.call("POST", "/api/repos", {"address": f"{server.url}/slow.git"})
        job = page.get_by_role("region", name="Jobs").locator("[data-job]")
        expect(job).to_contain_text("connecting")
        job.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("region", name="Jobs")).to_have_count(0)
        server.hold.set()
    assert workstation.call("GET", "/api/jobs")[0]["state"] == "cancelled"


def test_the_identity_for_commits_is_kept(workstation, page, errors):
    page.goto(f"{workstation.url}/#/settings")
    section = page.get_by_role("region", name="Git identity")
    section.get_by_label("Name").fill("Ada Lovelace")
    section.get_by_label("E-mail").fill("ada@example.com")
    section.get_by_role("button", name="Save identity").click()
    expect(section.get_by_role("button", name="Save identity")).to_be_disabled()
    assert workstation.call("GET", "/api/settings")["git"] == {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
    }


def test_a_token_is_kept_and_never_shown(workstation, page):
    page.goto(f"{workstation.url}/#/settings/github")
    section = page.get_by_role("region", name="GitHub")
    expect(section.get_by_role("heading")).to_be_focused()
    section.get_by_label("Token of GitHub").fill("ghp_secret")
    section.get_by_role("button", name="Save GitHub").click()
    expect(section.get_by_label("New token of GitHub")).to_have_value("")
    page.reload()
    expect(section).to_contain_text("A token is kept")
    assert "ghp_secret" not in page.content()
    section.get_by_role("button", name="Forget its token").click()
    expect(section).to_contain_text(re.compile("With a token"))
    assert workstation.call("GET", "/api/settings")["github"]["token"] is False
