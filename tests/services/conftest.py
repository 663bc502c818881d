"""Shared by the tests with real services: a container, with dumb-init as its PID 1.

tests/services/run makes a root file system that has Debian's packages of the services
and /usr/bin/dumb-init. The Dockerfile lines come from docs/cookbook.md, so the page is
tested as it is. A slow request or job begins, and waits until the test lets it finish:
so the test knows that a stop came in between, however slow the machine is.
"""

import contextlib
import http.server
import json
import os
import pathlib
import re
import signal
import socketserver
import subprocess
import threading
import time

import pytest

from watch import children, patience, wait_until

SOURCE = pathlib.Path(__file__).parents[2]
COOKBOOK = SOURCE / "docs/cookbook.md"
ROOT = os.environ.get("SERVICES_ROOT")


def recipe(service):
    """The words of PID 1 and the stop signal, as the section's Dockerfile lines say."""
    section = re.search(rf"^## {re.escape(service)}$(.*?)(?=^## |\Z)",
                        COOKBOOK.read_text(), re.M | re.S)[1]
    lines = dict(re.findall(r"^    (ENTRYPOINT|CMD|STOPSIGNAL) (.*)$", section, re.M))
    words = json.loads(lines["ENTRYPOINT"]) + json.loads(lines.get("CMD", "[]"))
    return words, signal.Signals[lines.get("STOPSIGNAL", "SIGTERM")]


class Container:
    """A container that runs until it is stopped, or until the test ends."""

    def __init__(self, path):
        self.path = path
        self.shared = path / "shared"
        self.output = path / "output"
        for directory in (self.shared, path / "files"):
            directory.mkdir()
        self.shared.chmod(0o1777)
        self.clients = []
        self.unshare = self.pid = self.stop_signal = None

    def add(self, name, text, mode=0o644):
        """Puts a file into the root file system, before the start."""
        file = self.path / "files" / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def add_directory(self, name, owner):
        """Makes an empty directory of a user of the root file system."""
        directory = self.path / "files" / name.lstrip("/")
        directory.mkdir(parents=True)
        users = pathlib.Path(ROOT, "etc/passwd").read_text()
        uid, gid = re.search(rf"^{owner}:[^:]*:(\d+):(\d+):", users, re.M).groups()
        os.chown(directory, int(uid), int(gid))

    def start(self, *words, terminal=None):
        """Starts these words as PID 1. terminal: a file descriptor for its stdio."""
        with open(self.output, "wb") as output:
            files = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            if terminal is not None:
                files = dict.fromkeys(files, terminal)
            self.unshare = subprocess.Popen(
                [SOURCE / "tests/services/container", ROOT, self.path, *words],
                cwd=SOURCE, start_new_session=True, **files)
        def is_dumb_init():
            """Whether PID 1 has become dumb-init, or has exited again."""
            for self.pid in children(self.unshare.pid):
                with contextlib.suppress(OSError):
                    comm = pathlib.Path(f"/proc/{self.pid}/comm").read_text()
                    return comm == "dumb-init\n"
            return self.unshare.poll() is not None
        wait_until(is_dumb_init, "dumb-init as PID 1")

    def start_service(self, service, *changes):
        """Starts a section's Dockerfile lines. changes: pairs of lists of words; the
        second list replaces the first."""
        words, self.stop_signal = recipe(service)
        for old, new in zip(changes[::2], changes[1::2]):
            first = words.index(old[0])
            assert words[first:first + len(old)] == old, (words, old)
            words[first:first + len(old)] = new
        self.start(*words)

    def said(self):
        """The output so far."""
        return self.output.read_text(errors="replace")

    def expect(self, text):
        """Waits for a text in the output."""
        self.wait_until(lambda: text in self.said(), f"{text!r} in the output")

    def wait_until(self, condition, what):
        """The same as that of watch.py, but fails at once if the container exits."""
        def look():
            exited = self.unshare.poll() is not None
            value = condition()
            assert value or not exited, \
                f"expected {what}, got status {self.unshare.poll()}"
            if not value:
                time.sleep(0.05)   # a condition may start a program
            return value
        try:
            return wait_until(look, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()}") from None

    def enter(self, *words, namespaces=("--mount", "--pid", "--net", "--ipc", "--uts")):
        return ["nsenter", f"--target={self.pid}", *namespaces, "env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", *words]

    def exec(self, *words, check=True, **options):
        """Runs a program beside PID 1, as `docker exec` does. Returns its output."""
        return subprocess.run(self.enter(*words), check=check, text=True,
                              stdin=subprocess.DEVNULL, timeout=patience(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              **options).stdout

    def client(self, *words):
        """Starts a program that sees the container's network and files, but is not a
        process of the container."""
        self.clients.append(subprocess.Popen(
            self.enter(*words, namespaces=("--mount", "--net")), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return self.clients[-1]

    def run_client(self, *words):
        """Runs such a program. Returns its status and output."""
        client = self.client(*words)
        output, _ = client.communicate(timeout=patience())
        return client.returncode, output

    def request(self, url):
        """Starts a request."""
        return self.client("curl", "-sS", url)

    def answers(self, url):
        """Waits until the service answers, and returns its answer."""
        def answer():
            status, output = self.run_client("curl", "-sSf", url)
            return output if status == 0 else None
        return self.wait_until(answer, f"an answer of {url}")

    def slow_request(self, address):
        """Starts a slow request, once the service answers a quick one."""
        self.answers(f"http://{address}/quick")
        request = self.request(f"http://{address}/slow")
        self.begun()
        return request

    def refuses(self, port):
        """Waits until no process listens at the port: the service is stopping. When
        the container has exited, nothing listens either."""
        def closed():
            listening = self.run_client("ss", "-Hltn", "sport", "=", f":{port}")[1]
            return self.unshare.poll() is not None or not listening.strip()
        wait_until(closed, f"no listener at port {port}")

    def begun(self):
        """Waits until the slow request or job has begun."""
        self.wait_until((self.shared / "begun").exists, "a slow request that has begun")

    def go(self):
        """Lets the slow request or job finish."""
        (self.shared / "go").touch()

    def complete(self):
        """Whether the slow request or job has finished."""
        return (self.shared / "complete").exists()

    def kill(self, signum):
        """Sends a signal to PID 1, as an engine does."""
        os.kill(self.pid, signum)

    def stop(self):
        """Sends the stop signal."""
        self.kill(self.stop_signal or signal.SIGTERM)

    def status(self):
        """Waits until the container exits. Returns its status."""
        try:
            return self.unshare.wait(patience())
        except subprocess.TimeoutExpired:
            raise AssertionError("expected the exit of the container, got none:\n"
                                 + self.said()) from None

    def pids(self, name):
        """The PIDs, in the container, of its processes of that name."""
        found = []
        for stat in pathlib.Path(f"/proc/{self.pid}/root/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                pid, rest = stat.read_text().split(" (", 1)
                comm, rest = rest.rsplit(") ", 1)
                if comm == name and not rest.startswith("Z"):
                    found.append(int(pid))
        return sorted(found)

    def end(self):
        if self.unshare is None:
            return
        for pid in children(self.unshare.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.unshare.wait(patience())
        for client in self.clients:
            client.kill()
            client.wait()
            client.stdout.close()


@pytest.fixture
def container(tmp_path):
    made = Container(tmp_path)
    yield made
    made.end()


class Backend(socketserver.ThreadingUnixStreamServer):
    """A server for proxies, outside of the container. /slow waits for go()."""
    daemon_threads = True

    def __init__(self, container):
        self.container = container
        self.closed = threading.Event()
        super().__init__(str(container.shared / "backend"), BackendHandler)
        os.chmod(container.shared / "backend", 0o777)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class BackendHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        shared = self.server.container.shared
        if self.path == "/slow":
            (shared / "begun").touch()
            while not (shared / "go").exists():
                if self.server.closed.wait(0.02):
                    return
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"complete")

    def address_string(self):
        return "proxy"

    def log_message(self, *_):
        pass


@pytest.fixture
def backend(container):
    with Backend(container) as server:
        yield server
        server.closed.set()
        server.shutdown()
