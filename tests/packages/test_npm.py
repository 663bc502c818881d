"""The packages of make npm: installed by npm from a registry on this machine, and run as
the PID 1 of a PID namespace."""

import base64
import hashlib
import http.server
import json
import os
import platform
import shutil
import signal
import subprocess
import tarfile
import threading
import urllib.parse

import pytest

from contents import ELSEWHERE, ROOT, VERSION, run

MACHINE = platform.machine()
# For each architecture of make release, the name of its processor in Node.js.
PROCESSORS = {"x86_64": "x64", "aarch64": "arm64", "armv7": "arm", "i386": "ia32",
              "ppc64le": "ppc64", "s390x": "s390x", "riscv64": "riscv64",
              "mips64el": "mips64el"}
OWN = PROCESSORS[MACHINE]
PID_NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def manifest(tarball):
    """The parsed package.json of a package."""
    with tarfile.open(tarball) as archive:
        return json.load(archive.extractfile("package/package.json"))


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """All packages. Only that for this machine has a program; the others have a text."""
    directory = tmp_path_factory.mktemp("npm")
    work = tmp_path_factory.mktemp("build")
    run("make", "-s", "npm", f"RELEASE={MACHINE}", f"DIST={directory}", f"BUILD={work}")
    for name in PROCESSORS:
        program = directory / f"dumb-init_{VERSION}_{name}"
        if not program.exists():
            program.write_text(f"#!/bin/sh\necho the program for {name}\n")
    run("packaging/npm", VERSION, "https://dumb-init.invalid", directory)
    return directory


@pytest.fixture(scope="module")
def main_package(dist):
    return dist / f"dumb-init-{VERSION}.tgz"


def own_package(dist, processor=OWN):
    return dist / f"dumb-init-linux-{processor}-{VERSION}.tgz"


class Registry(http.server.BaseHTTPRequestHandler):
    """Answers npm, with the packages in `directory`."""

    directory = None

    def do_GET(self):
        path = urllib.parse.unquote(self.path)
        if path.endswith(".tgz"):
            content = (self.directory / path.rpartition("/")[2]).read_bytes()
        else:
            content = self.description(path[1:])
        self.send_response(200 if content else 404)
        self.end_headers()
        self.wfile.write(content)

    def description(self, name):
        tarball = self.directory / (
            f"{name.removeprefix('@').replace('/', '-')}-{VERSION}.tgz")
        if not tarball.exists():
            return b""
        digest = hashlib.sha512(tarball.read_bytes()).digest()
        host = self.headers["Host"]
        return json.dumps({
            "name": name, "dist-tags": {"latest": VERSION},
            "versions": {VERSION: manifest(tarball) | {"dist": {
                "tarball": f"http://{host}/{tarball.name}",
                "integrity": f"sha512-{base64.b64encode(digest).decode()}"}}},
        }).encode()

    def log_message(self, *_):
        """Prints nothing."""


@pytest.fixture(scope="module")
def registry(dist):
    handler = type("Handler", (Registry,), {"directory": dist})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def npm(registry, tmp_path):
    """npm(WORD...): runs npm in an empty project, without the user's settings."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text("{}")

    def npm(*words, tool="npm"):
        return run(tool, *words, cwd=project, env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path),
            "npm_config_cache": str(tmp_path / "cache"),
            "npm_config_registry": registry, "npm_config_audit": "false",
            "npm_config_fund": "false", "npm_config_update_notifier": "false"})
    npm.project = project
    npm.bin = project / "node_modules/.bin/dumb-init"
    return npm


def refused(*words, **variables):
    """The status and the messages of a command that must print nothing else."""
    result = subprocess.run(words, check=False, capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, env=os.environ | variables)
    assert result.stdout == ""
    return result.returncode, result.stderr.splitlines()


def is_pid_1(launcher, program):
    """Asserts that the launcher, started as PID 1, becomes the program, with PID 1 and
    its arguments."""
    said = run(*PID_NAMESPACE, launcher, "--", "sh", "-c",
               'readlink /proc/1/exe; tr "\\0" "|" </proc/1/cmdline; echo; echo "$@"',
               "sh", "two words", "", "*")
    executable, words, arguments = said.splitlines()
    assert os.path.samefile(executable, program)
    assert words.endswith("|sh|two words||*|")
    assert arguments == "two words  *"


@pytest.mark.parametrize("name", PROCESSORS)
def test_package_has_the_program_for_its_processor(name, dist, tmp_path):
    tarball = own_package(dist, PROCESSORS[name])
    said = manifest(tarball)
    assert (said["name"], said["version"], said["license"]) == (
        f"@dumb-init/linux-{PROCESSORS[name]}", VERSION, "MIT")
    assert (said["os"], said["cpu"]) == (["linux"], [PROCESSORS[name]])
    run("tar", "-xf", tarball, "-C", tmp_path)
    program = tmp_path / "package/dumb-init"
    assert program.read_bytes() == (dist / f"dumb-init_{VERSION}_{name}").read_bytes()
    assert program.stat().st_mode & 0o777 == 0o755


def test_main_package_depends_on_all_others(main_package):
    said = manifest(main_package)
    assert said["optionalDependencies"] == {
        f"@dumb-init/linux-{processor}": VERSION for processor in PROCESSORS.values()}
    assert "dependencies" not in said
    # On other systems, such as that of a developer, npm must not refuse it.
    assert "os" not in said and "cpu" not in said


def test_no_package_has_a_script(dist):
    packages = list(dist.glob("*.tgz"))
    assert len(packages) == 1 + len(PROCESSORS)
    assert not any("scripts" in manifest(package) for package in packages)


def test_npm_corrects_nothing_when_the_packages_are_published(
        dist, main_package, npm, registry, tmp_path):
    """npm says so for a directory, and is silent for a file."""
    for package in main_package, own_package(dist):
        directory = tmp_path / package.stem
        directory.mkdir()
        run("tar", "-xf", package, "-C", directory)
        said = npm("publish", "--dry-run", "--access", "public", "--registry",
                   f"{registry}/empty", directory / "package")
        assert "corrected" not in said and f"@{VERSION}" in said


def test_packages_made_again_elsewhere_are_the_same(dist, tmp_path):
    tree = tmp_path / "a-directory-whose-path-is-longer"
    (tree / "dist").mkdir(parents=True)
    run("packaging/tree", tree)
    for program in dist.glob("dumb-init_*_*"):
        shutil.copy(program, tree / "dist")
    run("sh", "-c", f"""umask 077
        packaging/npm {VERSION} https://dumb-init.invalid dist""", cwd=tree,
        env=ELSEWHERE)
    for package in dist.glob("*.tgz"):
        assert (tree / "dist" / package.name).read_bytes() == package.read_bytes()


# Where the package for the processor is, after each kind of installation.
WAYS = {
    "hoisted": ([], "node_modules/@dumb-init"),
    "without scripts": (["--ignore-scripts"], "node_modules/@dumb-init"),
    "nested": (["--install-strategy=nested"],
               "node_modules/dumb-init/node_modules/@dumb-init"),
}


@pytest.mark.parametrize("way", WAYS)
def test_pid_1_is_the_program_after_npm_install(way, npm):
    options, directory = WAYS[way]
    npm("install", *options, "dumb-init")
    installed = [path for path in npm.project.rglob("linux-*/dumb-init")
                 if not path.parent.is_symlink()]
    [program] = installed
    assert program.parent.name == f"linux-{OWN}"
    assert program.is_relative_to(npm.project / directory)
    is_pid_1(npm.bin, program)


def test_pid_1_is_the_program_after_installation_from_files(npm, dist, main_package):
    npm("install", "--offline", main_package, own_package(dist))
    is_pid_1(npm.bin, npm.project / f"node_modules/@dumb-init/linux-{OWN}/dumb-init")


def test_pid_1_is_the_program_after_a_global_installation(npm, tmp_path):
    npm("install", "--global", "--prefix", tmp_path / "global", "dumb-init")
    program, = (tmp_path / "global").rglob(f"linux-{OWN}/dumb-init")
    is_pid_1(tmp_path / "global/bin/dumb-init", program)


def test_pid_1_is_the_program_with_the_links_of_pnpm(dist, main_package, tmp_path):
    """pnpm keeps each package apart, beside links to its dependencies."""
    modules = tmp_path / "node_modules"
    store = modules / ".pnpm"
    own = f"@dumb-init/linux-{OWN}"
    main = store / "dumb-init/node_modules/dumb-init"
    other = store / "other/node_modules" / own
    for directory, tarball in (main, main_package), (other, own_package(dist)):
        directory.mkdir(parents=True)
        run("tar", "-xf", tarball, "-C", directory, "--strip-components=1")
    for link, target in ((main.parent / own, other), (modules / "dumb-init", main),
                         (modules / ".bin/dumb-init",
                          modules / "dumb-init/bin/dumb-init")):
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(target)
    is_pid_1(modules / ".bin/dumb-init", other / "dumb-init")


def test_clean_install_from_the_lock_file_is_the_same(npm):
    npm("install", "dumb-init")
    npm("ci")
    is_pid_1(npm.bin, npm.project / f"node_modules/@dumb-init/linux-{OWN}/dumb-init")


def test_launcher_is_found_through_links_and_path(npm, tmp_path):
    npm("install", "dumb-init")
    program = npm.project / f"node_modules/@dumb-init/linux-{OWN}/dumb-init"
    (tmp_path / "one").symlink_to(npm.bin)
    (tmp_path / "two").symlink_to("one")
    is_pid_1(tmp_path / "two", program)
    said = run("sh", "-c", "dumb-init --version", cwd="/", env={
        "PATH": f"{npm.bin.parent}:/usr/bin:/bin"})
    assert said.startswith(f"dumb-init v{VERSION}\n")


def test_npx_runs_the_program(npm):
    npm("install", "dumb-init")
    said = npm("dumb-init", "sh", "-c", "readlink /proc/$PPID/exe", tool="npx")
    assert said.strip().endswith(f"/linux-{OWN}/dumb-init")


def test_sigterm_for_pid_1_ends_node_at_once(npm):
    npm("install", "dumb-init")
    script = "process.on('SIGTERM', () => process.exit(5)); " \
        "setInterval(() => {}, 1000); console.log('ready')"
    with subprocess.Popen([*PID_NAMESPACE, npm.bin, "node", "-e", script],
                          stdout=subprocess.PIPE, text=True) as unshare:
        try:
            assert unshare.stdout.readline() == "ready\n"
            [pid_1] = run("pgrep", "--parent", unshare.pid).split()
            os.kill(int(pid_1), signal.SIGTERM)
            assert unshare.wait(timeout=60) == 5
        finally:
            unshare.kill()


def test_missing_package_is_an_error_with_a_hint(npm):
    npm("install", "--omit=optional", "dumb-init")
    package = npm.project / "node_modules/dumb-init/bin"
    assert refused(npm.bin, "true") == (127, [
        f"[dumb-init] the package '@dumb-init/linux-{OWN}' is not installed",
        f"[dumb-init] hint: it is an optional dependency of '{package}'; install it "
        "without --omit=optional, and for this processor"])


@pytest.fixture
def on_machine(tmp_path):
    """on_machine(NAME): an environment in which uname says NAME."""
    def environment(name):
        (tmp_path / "uname").write_text(f"#!/bin/sh\necho '{name}'\n")
        (tmp_path / "uname").chmod(0o755)
        return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    return environment


@pytest.mark.parametrize("machine, processor", {
    "x86_64": "x64", "i386": "ia32", "i686": "ia32", "aarch64": "arm64",
    "armv8l": "arm64", "armv7l": "arm", "ppc64le": "ppc64", "s390x": "s390x",
    "riscv64": "riscv64", "mips64": "mips64el"}.items())
def test_launcher_chooses_by_the_processor(machine, processor, dist, main_package,
                                           on_machine, tmp_path):
    root = tmp_path / "node_modules"
    for name, tarball in [("dumb-init", main_package), *(
            (f"@dumb-init/linux-{each}", own_package(dist, each))
            for each in PROCESSORS.values())]:
        (root / name).mkdir(parents=True)
        run("tar", "-xf", tarball, "-C", root / name, "--strip-components=1")
    for each in PROCESSORS.values():
        program = root / f"@dumb-init/linux-{each}/dumb-init"
        program.write_text(f"#!/bin/sh\necho {each}\n")
    said = run(root / "dumb-init/bin/dumb-init", env=on_machine(f"Linux {machine}"))
    assert said == f"{processor}\n"


@pytest.mark.parametrize("machine, processor", {
    "x86_64": "ia32", "aarch64": "arm"}.items())
def test_node_for_32_bits_runs_on_a_kernel_for_64_bits(
        machine, processor, dist, main_package, on_machine, tmp_path):
    main = tmp_path / "node_modules/dumb-init"
    other = tmp_path / f"node_modules/@dumb-init/linux-{processor}"
    for directory, tarball in (main, main_package), (other, own_package(dist, processor)):
        directory.mkdir(parents=True)
        run("tar", "-xf", tarball, "-C", directory, "--strip-components=1")
    assert run(main / "bin/dumb-init", env=on_machine(f"Linux {machine}")).startswith(
        "the program for ")


@pytest.mark.parametrize("machine", ["Darwin arm64", "Linux armv6l", "Linux sparc64"])
def test_other_machine_is_an_error(machine, on_machine):
    assert refused(ROOT / "packaging/node/launcher", "true", **on_machine(machine)) == (
        127, [f"[dumb-init] there is no program for this machine: '{machine}'"])
