"""A pytest plugin: tests several inits for the claims in page.md, and writes that page
with tables in place of its lists.

    tests/behaviour/run --init NAME=PATH ... -p compare --compare PAGE --log FILE
"""

import collections
import datetime
import os
import pathlib
import re
import signal
import subprocess

import pytest

import watch

TEMPLATE = pathlib.Path(__file__).with_name("page.md")
# A row: the test; its option, without which an init is not tested; whether dumb-init is
# known to fail; the text, if it differs from the test's name.
ROW = re.compile(r"- (?P<test>test_\w+)(?: \((?P<option>-\S+)\))?(?P<lack> LACK)?"
                 r"(?:: (?P<words>.*))?")
OURS = "ours"
PACKAGES = {"dumb-init-1.2.5": "dumb-init", "tini": "tini", "catatonit": "catatonit"}
# Seconds until a wait for another init fails; short, because many fail.
PATIENCE = 2
# The message of a failed wait: the expected event, and the event that ended the wait.
WAITED = re.compile(r"expected (.*?) (?:within \d+ s|in time|before (the init .*?|"
                    r"end of file)), got ")
USUAL = watch.TIMEOUT, watch.MOST


def pytest_addoption(parser):
    parser.addoption("--compare", metavar="PAGE", help="where the tables go")
    parser.addoption("--log", metavar="FILE", help="where each failure goes")


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Comparison(config))


def rows(text):
    return [match for line in text.splitlines() if (match := ROW.fullmatch(line))]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    options = {row["test"]: row["option"] for row in rows(TEMPLATE.read_text())}
    missing = set(options) - {item.originalname for item in items}
    if missing:
        raise pytest.UsageError(f"{TEMPLATE.name}: no such test: {' '.join(missing)}")
    names = inits(config)
    items[:] = [item for item in items if item.originalname in options]
    for item in items:
        name, = (name for name in names if f"-{name}-" in f"-{item.callspec.id}-")
        variant = f"-{item.callspec.id}-".replace(f"-{name}-", "-", 1).strip("-")
        item.user_properties.append(("of", (item.originalname, name, variant)))
        option = options[item.originalname]
        others = getattr(item.callspec.params["init"], "options", None)
        if option and others is not None and option not in others:
            item.add_marker(pytest.mark.skip(reason=f"no such option: {option}"))


def pytest_runtest_setup(item):
    """Sets the time limits: the usual ones for dumb-init."""
    ours = not hasattr(item.callspec.params["init"], "options")
    watch.TIMEOUT, watch.MOST = USUAL if ours else (PATIENCE, 1)


def pytest_assertrepr_compare(op, left, right):
    """The observed value in one line; for a text, its relevant line."""
    texts = isinstance(left, str) and isinstance(right, str)
    if texts and op in ("in", "=="):
        return [said(right if op == "in" else left)]
    if op == "in" and isinstance(left, str):
        return [said(left)]
    if isinstance(right, signal.Signals):
        return [f"{signal.Signals(left).name} instead of {right.name}"]
    status = "status " if type(left) is type(right) is int else ""
    return [f"{status}{left} instead of {right}"]


def said(text):
    lines = [line for line in text.splitlines() if line.strip()]
    best = next((line for line in lines if "ignal" in line), lines[0] if lines else "")
    return f"says “{best.strip()}”" if best else "says nothing on standard error"


def inits(config):
    return [each.split("=")[0] for each in config.getoption("--init")]


def observed(report):
    """The failure as a short text."""
    crash = getattr(report.longrepr, "reprcrash", None)
    message = crash.message if crash else report.longreprtext
    first = re.sub(r"^(AssertionError: |Failed: )", "", message.splitlines()[0])
    if first.startswith("expected the exit of "):
        first = "does not exit"
    if waited := WAITED.match(first):
        what = re.sub(r"^(?:re\.compile\()?b?['\"](.*?)['\"](?:(?:, re\.DOTALL)?\))?$",
                      r"'\1'", waited[1])
        first = f"{waited[2]} before {what}" if waited[2] else \
            f"timed out waiting for {what}"
    first = first.removeprefix("assert ")
    heard = [line for title, text in report.sections if "stderr" in title
             for line in text.splitlines() if line]
    if "'ready'" in first and heard:
        first = f"says “{heard[0]}”"
    return plain(first)


def plain(text):
    """The text for readers who do not know the tests, without parts that vary."""
    text = re.sub(r"/\S*/pytest/\S*?/([^/\s]*)(?=[:\s”]|$)", r"…/\1", text)
    text = re.sub(r"\((tini|catatonit:)? ?\d+\)", "", text)
    text = text.replace("FATAL tini ", "FATAL tini").replace("ERROR :", "ERROR:")
    # Which of the two comes first is random.
    text = re.sub(r"killed by 3[23]\b", "killed by 32 or 33", text)
    for ours, theirs in (("us", "the init"), ("our", "its"), ("we", "the init")):
        text = re.sub(rf"\b{ours}\b", theirs, text)
    text = re.sub(r"\\+[rn]\??", " ", text).replace("signals up to ", "")
    text = re.sub(r"[^ -~“”…]+", "?", re.sub(r"\s+", " ", text))
    return re.sub(r"'([^']*\S) '", r"'\1'", text).replace("|", "\\|").strip()


class Comparison:
    """Records all results, in the main process of pytest-xdist."""

    def __init__(self, config):
        self.config = config
        self.names = inits(config)
        self.runs = collections.defaultdict(list)
        self.broken = []

    def pytest_runtest_logreport(self, report):
        (test, name, variant), = [value for key, value in report.user_properties
                                  if key == "of"]
        # Other inits may leave processes: that is not a part of the claim.
        if report.when == "teardown" and name != OURS:
            return
        if report.when == "call" or report.outcome != "passed":
            self.runs[test, name].append((variant, report))

    def pytest_sessionfinish(self, session):
        if session.testscollected == 0:
            return
        self.write_log(pathlib.Path(self.config.getoption("--log")))
        page = pathlib.Path(self.config.getoption("--compare"))
        page.write_text(self.page(TEMPLATE.read_text()), encoding="utf-8")
        session.exitstatus = 1 if self.broken else 0

    def pytest_unconfigure(self):
        """Prints a summary after the dots."""
        for name in self.names:
            cells = collections.Counter(
                self.cell(row, name)[0] for row in rows(TEMPLATE.read_text())
                if self.runs[row["test"], name])
            print(f"{name}: " + ", ".join(f"{count} {word.strip('*')}" for word, count
                                          in cells.most_common()))
        for row in self.broken:
            print(f"dumb-init fails {row['test']}: see {self.config.option.log}")

    def write_log(self, path):
        with path.open("w", encoding="utf-8") as file:
            for (test, name), runs in sorted(self.runs.items()):
                for variant, report in runs:
                    if report.outcome == "failed":
                        print(f"==== {name}: {test}[{variant}]: {observed(report)}\n",
                              report.longreprtext, *report.sections, sep="\n",
                              file=file)

    def page(self, template):
        """The template, with tables for its lists and values for its {names}."""
        parts = re.split(r"((?:^- test_.*\n)+)", template, flags=re.M)
        parts[1::2] = [self.table(rows(part)) for part in parts[1::2]]
        return "".join(parts).format(
            date=datetime.date.today().isoformat(),
            kernel=re.match("[0-9.]+", os.uname().release)[0],
            machine=os.uname().machine, count=len(rows(template)),
            **{name.replace("-", "_").replace(".", "_"): version(name)
               for name in self.names})

    def table(self, group):
        notes = []
        heads = ["", f"**dumb-init {version(OURS)}**", *self.names[1:]]
        lines = [f"|{' | '.join(heads)} |".replace("init-1.2.5", "init 1.2.5"),
                 "|---" * len(heads) + "|"]
        for row in group:
            if not any(self.runs[row["test"], name] for name in self.names):
                continue  # -k deselected it
            cells = []
            for name in self.names:
                cell, note = self.cell(row, name)
                if note:
                    if note not in notes:
                        notes.append(note)
                    cell += f" ({notes.index(note) + 1})"
                cells.append(cell)
            lines.append(f"| {words_of(row)} | " + " | ".join(cells) + " |")
            if cells[0] != "yes" and not row["lack"]:
                self.broken.append(row)
        return "\n".join([*lines, "", *(f"{number}. {note}" for number, note
                                        in enumerate(notes, 1)), ""])

    def cell(self, row, name):
        """The cell of a row and an init, and its note or None."""
        runs = self.runs[row["test"], name]
        failed = [(variant, observed(report)) for variant, report in runs
                  if report.outcome == "failed"]
        passed = [variant for variant, report in runs if report.outcome == "passed"]
        if not failed and passed:
            return "yes", None
        if not failed:
            reasons = {report.longrepr[2].removeprefix("Skipped: ")
                       for _, report in runs}
            modes = {"no such mode", "no such option: -g", "no such option: -c"}
            return ("no mode" if reasons <= modes else "no option" if any(
                each.startswith("no such") for each in reasons) else "not tested"), None
        if any("NoSuchOption" in report.longreprtext for _, report in runs
               if report.outcome == "failed"):
            return "no mode", None
        seen = collections.Counter(text for _, text in failed).most_common()
        if seen[0][0].startswith("says "):
            del seen[1:]  # the others are the same message for other words
        ran = len(failed) + len(passed)
        note = "; ".join(text + (f" ({count} of {ran} runs)" if len(seen) > 1 else "")
                         for text, count in seen)
        if not passed:
            return "**no**", note
        return "**partly**", f"{where(failed, passed)}: {note}"


def where(failed, passed):
    """The property that all failed runs share and no passed run has."""
    def parts(variant):
        return set(variant.replace("single-child", "alone").split("-"))
    common = set.intersection(*(parts(variant) for variant, _ in failed))
    common -= set().union(*map(parts, passed))
    names = {"pid1": "as PID 1", "ordinary": "not as PID 1", "alone": "for COMMAND "
             "alone", "session": "in a session", "group": "for a group"}
    if common & set(names):
        return ", ".join(names[each] for each in sorted(common & set(names)))
    return f"in {len(failed)} of {len(failed) + len(passed)} runs"


def words_of(row):
    """The text of a row, or the name of its test as a sentence."""
    if row["words"]:
        return row["words"]
    text = row["test"].removeprefix("test_").replace("_", " ")
    text = re.sub(r"\b(sig(?!nal)[a-z]+|pid|path)\b", lambda m: m[0].upper(), text)
    text = text.replace("commands", "COMMAND's").replace("command", "COMMAND")
    return text[0].upper() + text[1:]


def version(name):
    """The version of the package, or that of the Makefile."""
    if name in PACKAGES:
        words = ["dpkg-query", "-W", "-f", "${Version}", PACKAGES[name]]
    else:
        words = ["sed", "-n", "s/^VERSION = //p", str(TEMPLATE.parents[3] / "Makefile")]
    return subprocess.run(words, check=True, capture_output=True,
                          text=True).stdout.strip()
