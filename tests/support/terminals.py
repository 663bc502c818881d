"""Commands on a terminal of their own, for tests/behaviour and tests/packages."""

import os
import subprocess
import termios

import pexpect.fdpexpect


class Terminal(pexpect.fdpexpect.fdspawn):
    """A command that leads the session of a new terminal.

    Not pexpect.spawn: it forks this process, which has threads under pytest-xdist,
    and Python 3.12 warns of that."""

    def __init__(self, command, dimensions=(24, 80), encoding=None, timeout=30,
                 **options):
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, dimensions)
        self.popen = subprocess.Popen(["setsid", "--ctty", *command], stdin=slave,
                                      stdout=slave, stderr=slave, **options)
        os.close(slave)
        super().__init__(master, encoding=encoding, timeout=timeout)
        self.pid = self.popen.pid

    def __str__(self):
        """For the message of a failed expect, which plainly.py reads."""
        output = self.before[-200:] if self.before else ""
        return f"before (last 200 chars): {output!r}"

    def close(self):
        super().close()
        self.popen.kill()
        self.popen.wait()
