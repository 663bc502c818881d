"""For pytest -p: the summary line of a failed test says what was expected and what
came."""

import re
import subprocess

import pexpect
import pytest


def expected_and_came(error):
    """Both in a line, of an error whose own first line has not both."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"waited in vain for the end of {error.cmd}; came: {error.output!r:.200}"
    if isinstance(error, pexpect.ExceptionPexpect):
        text = str(error)
        wanted = re.findall(r"^ +\d+: (.*)$", text, re.M)
        came = re.search(r"^(?:before|buffer) \(last \d+ chars\): (.+)$", text, re.M)
        return f"waited in vain for {' or '.join(wanted) or 'the end'}; " \
               f"came: {came[1] if came else text.splitlines()[0]}"
    return None


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    config.get_terminal_writer().fullwidth = 240  # no such line is cut off


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(call):
    report = (yield).get_result()
    line = call.excinfo and expected_and_came(call.excinfo.value)
    if line and hasattr(report.longrepr, "reprcrash"):
        report.longrepr.reprcrash.message = line
