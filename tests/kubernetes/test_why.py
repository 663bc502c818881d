"""The reason of an exit, in the termination message that `kubectl describe pod` shows."""

import re
import signal

import pytest

from conftest import container, document

MEMORY = {"resources": {"limits": {"memory": "40Mi"}}}
OPTION = ["--termination-log"]
# Words, fields of the container, the status, the reason that Kubernetes gives, and the
# message.
CASES = {
    "a program that does not exist": (
        ["nosuch"], {}, 127, "Error",
        r"\[dumb-init\] cannot execute 'nosuch': No such file or directory\n"
        r"\[dumb-init\] hint: .*PATH.*\n"),
    "SIGSEGV": (
        ["sh", "-c", "kill -SEGV $$"], {}, 139, "Error",
        r"\[dumb-init\] sh \(PID \d+\) was killed by SIGSEGV( \(core dumped\))?, "
        r"not sent by dumb-init\n"),
    "COMMAND out of memory": (
        ["tail", "/dev/zero"], MEMORY, 137, "OOMKilled",
        r"\[dumb-init\] tail \(PID \d+\) was killed by SIGKILL, not sent by dumb-init: "
        r"out of memory \(its cgroup recorded an OOM kill\)\n"),
    "a child out of memory": (
        ["sh", "-c", "tail /dev/zero; exit $?"], MEMORY, 137, "OOMKilled",
        r"\[dumb-init\] sh \(PID \d+\) exited with status 137, and its cgroup recorded "
        r"an OOM kill: one of its children was probably killed\n"),
}


def described(pod):
    """The termination message that describe shows, with the line breaks of a file."""
    text = re.search(r"^ +Message: +(.*?)\n +Exit Code:", pod.describe(), re.M | re.S)
    return "".join(f"{line.strip()}\n" for line in text[1].splitlines() if line.strip())


def assert_message(end, pattern):
    got = end.get("message", "")
    assert re.fullmatch(pattern, got), f"expected {pattern}, got {got!r}"


@pytest.mark.parametrize("case", CASES)
def test_describe_shows_the_reason_of_an_exit(create, case):
    words, fields, status, reason, message = CASES[case]
    pod = create(document(container(words, OPTION, **fields)))
    end = pod.terminated()
    assert (end["exitCode"], end["reason"]) == (status, reason)
    assert_message(end, message)
    assert described(pod) == end["message"]


def test_reason_is_shown_for_a_restricted_container(create):
    """Another user, no capability, and no file system that can be written."""
    words, _, status, _, message = CASES["SIGSEGV"]
    pod = create(document(container(words, OPTION, securityContext={
        "runAsUser": 65534, "runAsGroup": 65534, "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}})))
    end = pod.terminated()
    assert end["exitCode"] == status
    assert_message(end, message)


def test_reason_is_shown_from_another_file(create):
    words, _, _, _, message = CASES["SIGSEGV"]
    pod = create(document(container(words, ["--termination-log=/tmp/why"],
                                    terminationMessagePath="/tmp/why")))
    assert_message(pod.terminated(), message)


def test_ordinary_exit_has_no_message(start):
    assert "message" not in start("exit 3", *OPTION).terminated()


def test_forwarded_sigterm_has_no_message(start):
    pod = start("echo ready; exec sleep 1000", *OPTION)
    pod.line("^ready$")
    pod.init().terminate()
    end = pod.terminated()
    assert end["exitCode"] == 128 + signal.SIGTERM
    assert "message" not in end
