"""Other inits in place of dumb-init, for `make compare`: the words that start each.

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
    """The init has no option for this."""


def number(name):
    """The number of a signal name; any other text unchanged."""
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


# For each init: the options for each mode of dumb-init that it has; the options that it
# always gets; and for each option of dumb-init that it has, its own option and the
# notation of the argument. The first mode is the default.
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
    """The path of an init whose command line differs from that of dumb-init."""

    def __new__(cls, name, path):
        self = super().__new__(cls, path)
        self.name = name
        self.modes, self.always, self.options = ADAPTERS[name].values()
        return self

    def words(self, words):
        """A command line of dumb-init, translated."""
        if any(word.startswith("--termination-log") for word in words):
            raise NoSuchOption("--termination-log")
        try:
            options, command = getopt.getopt(words, SHORT, list(LONG))
        except getopt.GetoptError:
            return list(words)  # The test wants an error.
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
        """A program that starts this init from a command line of dumb-init."""
        return f"{sys.executable} {os.path.abspath(__file__)} {self.name} {self}"


def words_of(init, words):
    """The words that start an init, from a command line of dumb-init."""
    return [init, *(init.words(words) if isinstance(init, Adapted) else words)]


if __name__ == "__main__":
    path = Adapted(sys.argv[1], sys.argv[2])
    for signum in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them.
        signal.signal(signum, signal.SIG_DFL)
    os.execv(path, words_of(path, sys.argv[3:]))
