"""For pytest -p: the summary line of a failed test reads "expected X, got Y"."""

import re
import subprocess

import pexpect
import pytest


def expected_and_got(error):
    """That line, for an error whose own first line lacks X or Y; else None."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"expected the exit of {error.cmd}, got {error.output!r:.200}"
    if isinstance(error, pexpect.ExceptionPexpect):
        text = str(error)
        wanted = re.findall(r"^ +\d+: (.*)$", text, re.M)
        got = re.search(r"^(?:before|buffer) \(last \d+ chars\): (.+)$", text, re.M)
        limit = "before end of file" if isinstance(error, pexpect.EOF) else "in time"
        return f"expected {' or '.join(wanted) or 'end of file'} {limit}, " \
               f"got {got[1] if got else text.splitlines()[0]}"
    return None


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    config.get_terminal_writer().fullwidth = 240  # no such line is cut off


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(call):
    report = (yield).get_result()
    line = call.excinfo and expected_and_got(call.excinfo.value)
    if line and hasattr(report.longrepr, "reprcrash"):
        report.longrepr.reprcrash.message = line
