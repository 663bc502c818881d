"""Other inits where ours is expected, for `make compare`: the words that start each.

As a program: adapters.py NAME PATH WORD... becomes that init.
"""

import getopt
import os
import signal
import sys

SHORT = "cgar:d:t:k:We:p:swPqvhVlL"
LONG = {"single-child": "-c", "process-group": "-g", "all": "-a", "rewrite=": "-r",
        "delay=": "-d", "grace=": "-t", "kill-after=": "-k", "wait-all": "-W",
        "map-exit=": "-e", "parent-death-signal=": "-p", "subreaper": "-s",
        "warn-on-reap": "-w", "pause": "-P", "quiet": "-q", "verbose": "-v",
        "help": "-h", "version": "-V", "license": "-l"}
MODES = {"": "session", "-g": "group", "-c": "single-child"}


class NoSuchOption(Exception):
    """Of what an init is asked, it has nothing."""


def number(name):
    """Of a signal; what is none, as it is."""
    start, _, more = name.upper().removeprefix("SIG").partition("+")
    if start == "RTMIN":
        return str(34 + int(more or 0))
    if start.startswith("RTMAX"):
        return str(64 + int(start.removeprefix("RTMAX") or 0))
    return str(int(getattr(signal, "SIG" + start, 0))) if start.isalpha() else name


def numbers(text):
    return ":".join(number(each) for each in text.split(":"))


def capitals(name):
    return name if name.startswith("SIG") or name.isdigit() else "SIG" + name


def same(text):
    return text


# What makes it each of our modes, where it has that; what it is always given; and
# of our options those that it has: its own words, and how it writes the argument.
# With no mode asked for, the first of its modes is the one that is meant.
ADAPTERS = {
    "dumb-init-1.2.5": {
        "modes": {"session": [], "single-child": ["-c"]}, "always": [],
        "options": {"-r": (["-r"], numbers), "-v": (["-v"], same),
                    "-h": (["-h"], same), "-V": (["-V"], same)}},
    "tini": {
        "modes": {"group": ["-g"], "single-child": []}, "always": ["-s"],
        "options": {"-s": ([], same), "-e": (["-e"], same), "-w": (["-w"], same),
                    "-p": (["-p"], capitals), "-v": (["-vvv"], same),
                    "-h": (["-h"], same), "-l": (["-l"], same)}},
    "catatonit": {
        "modes": {"group": ["-g"], "single-child": []}, "always": [],
        "options": {"-P": (["-P"], same), "-h": (["-h"], same), "-L": (["-L"], same),
                    "-V": (["-V"], same)}},
}


class Adapted(str):
    """The path of an init that has other words for what ours is told."""

    def __new__(cls, name, path):
        self = super().__new__(cls, path)
        self.name = name
        self.modes, self.always, self.options = ADAPTERS[name].values()
        return self

    def words(self, words):
        """The words for what these ask of ours."""
        if any(word.startswith("--termination-log") for word in words):
            raise NoSuchOption("--termination-log")
        try:
            options, command = getopt.getopt(words, SHORT, list(LONG))
        except getopt.GetoptError:
            return list(words)  # An error is what is asked for.
        mode = ""
        translated = []
        for option, argument in options:
            if option.startswith("--"):
                option = LONG.get(option[2:]) or LONG[option[2:] + "="]
            if option in MODES:
                mode = option
            elif option not in self.options:
                raise NoSuchOption(option)
            else:
                theirs, write = self.options[option]
                translated += theirs + ([write(argument)] if argument else [])
        if mode and MODES[mode] not in self.modes:
            raise NoSuchOption(mode)
        mode = MODES[mode] if mode else next(iter(self.modes))
        return [*self.always, *self.modes[mode], *translated,
                *(["--", *command] if command else [])]

    def program(self):
        """What starts it from a command line that is for ours."""
        return f"{sys.executable} {os.path.abspath(__file__)} {self.name} {self}"


def words_of(init, words):
    """What starts an init, given the words for ours."""
    return [init, *(init.words(words) if isinstance(init, Adapted) else words)]


if __name__ == "__main__":
    path = Adapted(sys.argv[1], sys.argv[2])
    for signum in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them.
        signal.signal(signum, signal.SIG_DFL)
    os.execv(path, words_of(path, sys.argv[3:]))
