"""A pytest plugin for the behaviour tests in run: pytest -p turn_red --plan FILE.

FILE is JSON. If it has "trace", the plugin reports the blocks of a traced init that
each test runs. Otherwise it runs the tests in "order" until one is surely red: red with
the mutant, green with the original in its place, and red again. It writes lines of JSON
to the file "report", each before the next test begins.
"""

import json
import os
import pathlib
import re
import shutil
import signal

import pytest
from _pytest.runner import runtestprotocol

import watch

# Shorter than usual, because a test that hangs does so three times.
watch.TIMEOUT = 4
watch.MOST = 2
LIMIT = 20  # seconds for a test


def pytest_addoption(parser):
    parser.addoption("--plan")


def pytest_configure(config):
    config.plan = json.loads(pathlib.Path(config.getoption("--plan")).read_text())


def is_about(item, path):
    """Whether the test starts the init at this path, under any name."""
    init = item.callspec.params.get("init") if hasattr(item, "callspec") else None
    return isinstance(init, str) and os.path.realpath(init) == path


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    plan = config.plan
    if "trace" in plan:
        # With 10,000 processes of one test, the other tests of the moment turn red.
        items[:] = [item for item in items if is_about(item, plan["init"]) and
                    "room" not in item.fixturenames]
        items[:] = items[plan["share"]::plan["shares"]]
    else:
        by_id = {item.nodeid: item for item in items}
        items[:] = [by_id[each] for each in plan["order"]]


def report(item, **what):
    with open(item.config.plan["report"], "a", encoding="utf-8") as file:
        print(json.dumps({"test": item.nodeid} | what), file=file)


def pytest_sessionfinish(session, exitstatus):
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        with open(session.config.plan["report"], "a", encoding="utf-8") as file:
            print('{"test": null, "outcome": "end"}', file=file)


def too_late(_signum, _frame):
    pytest.fail(f"expected the test to end within {LIMIT} s, got no end")


def outcome(item, nextitem):
    """Returns "red", "green" or "skipped", and the seconds."""
    # Repeated, because the clean-up after the test may hang, too.
    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT, LIMIT)
    try:
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    from conftest import end_tree  # that of tests/behaviour, which is loaded by now
    if os.getppid() == 1:
        for pid in set(watch.children(1)) - {os.getpid()}:
            end_tree(pid)
    text = "red" if any(each.failed for each in reports) else \
        "skipped" if any(each.skipped for each in reports) else "green"
    return text, sum(each.duration for each in reports)


def put(path, program):
    """Makes path a copy of program, without a change to running processes."""
    shutil.copy(program, path + ".new")
    os.rename(path + ".new", path)


def trace(item, nextitem):
    path = item.config.plan["trace"]
    size = os.path.getsize(path)
    os.truncate(path, 0)
    os.truncate(path, size)
    colour, seconds = outcome(item, nextitem)
    ran = pathlib.Path(path).read_bytes()
    report(item, outcome=colour, seconds=seconds,
           ran=[each.start() for each in re.finditer(b"[^\0]", ran)])


def judge(item, nextitem):
    plan = item.config.plan
    report(item, outcome="begun")
    first, seconds = outcome(item, nextitem)
    if first != "red":
        report(item, outcome=first, seconds=seconds)
        return
    put(plan["init"], plan["original"])
    original, _ = outcome(item, nextitem)
    put(plan["init"], plan["mutant"])
    again = outcome(item, nextitem)[0] if original != "red" else "unknown"
    report(item, outcome="red" if again == "red" else "unsure", original=original)
    if again == "red":
        item.session.shouldstop = "red"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if "trace" in item.config.plan:
        trace(item, nextitem)
    else:
        judge(item, nextitem)
    return True
