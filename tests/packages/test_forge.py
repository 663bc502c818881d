"""The files for a forge, in .github: their form, and the commands of the workflows, run
here. Only the forge can run a whole workflow."""

import os
import re
import subprocess

import pytest
import yaml

from contents import ROOT, VERSION, run

FORGE = ROOT / ".github"
WORKFLOWS = sorted(FORGE.glob("workflows/*.yml"))
RULES = ("{extends: default, rules: {line-length: {max: 90}, document-start: disable, "
         "truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}}}")


def jobs(name):
    return yaml.safe_load((FORGE / f"workflows/{name}.yml").read_text())["jobs"]


def commands(job):
    """The shell commands of a job, by the names of the steps."""
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step}


def made(job):
    """The targets of make in a job."""
    return {word for command in commands(job).values() if command.startswith("make ")
            for word in command.split()[1:] if re.fullmatch("[a-z-]+", word)}


def do(command, cwd=ROOT, **environ):
    """The result of a command of a workflow, run by the shell that the forge uses."""
    return subprocess.run(["sh", "-e", "-c", command], cwd=cwd, check=False, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          env=os.environ | environ)


def test_yaml_is_well_formed():
    assert run("yamllint", "--strict", "-d", RULES, FORGE) == ""


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_with_its_tag(workflow):
    used = re.findall(r"\buses: (.*)", workflow.read_text())
    assert used
    for each in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_may_only_read_unless_a_job_says_more(workflow):
    document = yaml.safe_load(workflow.read_text())
    assert document["permissions"] == {"contents": "read"}
    more = {name for name, job in document["jobs"].items() if "permissions" in job}
    assert more == ({"release"} if workflow.stem == "release" else set())


def test_tests_run_on_both_debians_and_both_processors():
    job = jobs("ci")["test"]
    assert job["strategy"]["matrix"] == {
        "debian": ["12", "13"], "runner": ["ubuntu-24.04", "ubuntu-24.04-arm"]}
    assert job["container"]["image"] == "debian:${{ matrix.debian }}"
    assert made(job) == {"test", "test-clang"}


def test_every_check_runs_at_night():
    assert commands(jobs("ci")["all"])["Run every check"] == ".ci/run"
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_release_makes_the_files_that_the_document_lists():
    listed, = re.findall(r"^    make (dist .*) SOURCE=ADDRESS$",
                         (ROOT / "docs/releasing.md").read_text(), re.M)
    assert made(jobs("release")["release"]) == {*listed.split(), "sums"}


def test_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", "".join(
        (ROOT / name).read_text() for name in (
            "Makefile", "packaging/packaging.mk", "tests/tests.mk")), re.M))
    for workflow in WORKFLOWS:
        for job in jobs(workflow.stem).values():
            assert made(job) <= targets


@pytest.mark.parametrize("tag, status", {f"v{VERSION}": 0, "v9.8.7": 1,
                                         f"v{VERSION}1": 1, f"v{VERSION[:-1]}": 1}.items())
def test_release_is_refused_for_a_tag_of_another_version(tag, status):
    command = commands(jobs("release")["release"])["Compare the tag with the version"]
    assert do(command, GITHUB_REF_NAME=tag).returncode == status


def test_sums_are_of_all_files_and_draft_has_these_and_the_sums(tmp_path):
    dist = tmp_path / "dist"
    (dist / "layout").mkdir(parents=True)
    names = ["a.deb", "b.whl", "c d"]
    for name in [*names, "SHA256SUMS"]:
        (dist / name).write_text(name)
    run("make", "sums", f"DIST={dist}")
    assert run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=dist) == \
        "".join(f"{name}: OK\n" for name in names)

    gh = tmp_path / "bin/gh"
    gh.parent.mkdir()
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    gh.chmod(0o755)
    command = commands(jobs("release")["release"])["Draft the release"]
    said = do(command, cwd=tmp_path, GITHUB_REF_NAME=f"v{VERSION}",
              GITHUB_REPOSITORY="owner/name", PATH=f"{gh.parent}:/usr/bin:/bin")
    words = said.stdout.splitlines()
    assert words[:5] == ["release", "create", f"v{VERSION}", "--repo", "owner/name"]
    assert {word for word in words if word.startswith("dist/")} == {
        f"dist/{name}" for name in [*names, "SHA256SUMS"]}


# From the forge's documentation: the fields of a form for issues.
FIELDS = {"markdown": set(), "textarea": {"id"}}


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_form_for_issues_has_the_fields_that_the_forge_requires(name):
    form = yaml.safe_load((FORGE / f"ISSUE_TEMPLATE/{name}.yml").read_text())
    assert {"name", "description", "body"} <= set(form)
    for element in form["body"]:
        assert FIELDS[element["type"]] <= set(element)
        assert element["attributes"].get("label") or element["attributes"].get("value")
    ids = [element["id"] for element in form["body"] if "id" in element]
    assert ids and len(ids) == len(set(ids))
