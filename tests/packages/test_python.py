"""The sdist and the wheel for pip: made by `make wheel`, installed without a network,
run, removed."""

import email
import hashlib
import importlib.util
import os
import pathlib
import platform
import shutil
import stat
import subprocess
import sys
import zipfile

import pytest

from contents import ROOT, VERSION, unpack

NAME = f"dumb_init-{VERSION}"
MACHINE = platform.machine()
CORPUS = ROOT / "tests/campaigns/fuzz/corpus/diagnose"
OLDEST = (["manylinux1", "manylinux_2_5"] if MACHINE in ("x86_64", "i686") else
          ["manylinux2014", "manylinux_2_17"])
PLATFORMS = [f"{each}_{MACHINE}" for each in (*OLDEST, "musllinux_1_1")]

# Without the flags of the user, and of the make that started these tests.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_NO_INDEX": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
MISSING = [*filter(lambda tool: not shutil.which(tool),
                   ["make", "musl-gcc", "readelf", "unshare"]),
           *filter(lambda module: not importlib.util.find_spec(module),
                   ["build", "pip", "setuptools", "wheel"])]
pytestmark = pytest.mark.skipif(bool(MISSING),
                                reason=f"NOT TESTED: no {', '.join(MISSING)}")


def run(*command, status=0, prefix=(), **variables):
    """The output of a command, which must exit with status."""
    done = subprocess.run([*prefix, *command], env={**ENVIRONMENT, **variables},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def no_network():
    """The words that run a command without a network, if the kernel permits that."""
    prefix = ["unshare", "--net", *(["--map-root-user"] if os.getuid() else [])]
    return prefix if subprocess.run([*prefix, "true"]).returncode == 0 else []


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The released source."""
    path = tmp_path_factory.mktemp("tree")
    run(ROOT / "packaging/tree", path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory, no_network):
    """The directory with the files of `make wheel`."""
    path = tmp_path_factory.mktemp("made")
    run("make", "-C", ROOT, "wheel", f"DIST={path}", prefix=no_network)
    return path


@pytest.fixture
def sdist(made):
    return made / f"{NAME}.tar.gz"


@pytest.fixture
def wheel(made):
    return next(made.glob("*.whl"))


@pytest.fixture
def unpacked(sdist, tmp_path):
    """The source from the sdist, without git."""
    unpack(sdist, tmp_path)
    return tmp_path / NAME


def files(directory):
    return {str(path.relative_to(directory)) for path in directory.rglob("*")
            if not path.is_dir()}


def digests(directory):
    return {name: hashlib.sha256((directory / name).read_bytes()).hexdigest()
            for name in files(directory)}


def said_in(wheel, name):
    """The fields of METADATA or WHEEL."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"{NAME}.dist-info/{name}").decode()
    return email.message_from_string(text)


def tags(wheel):
    """The tags in the wheel's name."""
    python, abi, platforms = wheel.stem.split("-")[2:]
    return [f"{python}-{abi}-{each}" for each in platforms.split(".")]


def built_with(tree, directory, **variables):
    """A wheel that is built with another compiler or other flags."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir",
        directory, tree, **variables)
    return next(directory.glob("*.whl"))


def test_an_sdist_and_a_wheel_are_made(made):
    assert files(made) == {f"{NAME}.tar.gz",
                           f"{NAME}-py3-none-{'.'.join(PLATFORMS)}.whl"}


def test_sdist_has_the_whole_source(sdist, tree, unpacked):
    made_there = {"PKG-INFO", "setup.cfg", *(f"dumb_init.egg-info/{name}" for name in (
        "PKG-INFO", "SOURCES.txt", "dependency_links.txt", "top_level.txt"))}
    assert files(unpacked) == files(tree) | made_there
    for name in files(tree):
        assert (unpacked / name).read_bytes() == (tree / name).read_bytes(), name
        assert os.access(unpacked / name, os.X_OK) == os.access(tree / name, os.X_OK)


def test_wheel_has_the_program_as_a_script_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        modes = {each.filename: stat.S_IMODE(each.external_attr >> 16)
                 for each in archive.infolist()}
    assert modes.pop(f"{NAME}.data/scripts/dumb-init") == 0o755
    # setuptools 77 puts the license into a directory.
    licenses = {name for name in modes if name.endswith("/LICENSE")}
    assert licenses and licenses <= {f"{NAME}.dist-info/{name}" for name in (
        "LICENSE", "licenses/LICENSE")}
    assert set(modes) - licenses == {f"{NAME}.dist-info/{name}" for name in (
        "METADATA", "RECORD", "WHEEL", "top_level.txt")}
    assert not any(mode & 0o111 for mode in modes.values())


def test_program_in_the_wheel_is_the_static_one_of_make(wheel, tree, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        program = archive.extract(f"{NAME}.data/scripts/dumb-init", tmp_path)
    assert "LOAD" in run("readelf", "-lW", program)
    assert "INTERP" not in run("readelf", "-lW", program)
    run("make", "-s", "-C", tree, f"BUILD={tmp_path}", "CC=musl-gcc")
    assert (pathlib.Path(program).read_bytes() ==
            (tmp_path / "dumb-init").read_bytes())


def test_metadata_of_the_wheel_agrees_with_readme_licence_and_makefile(wheel, tree):
    said = said_in(wheel, "METADATA")
    assert (said["Name"], said["Version"], said["License"]) == (
        "dumb-init", VERSION, "MIT")
    assert said["Description-Content-Type"] == "text/markdown"
    assert said.get_payload() == (tree / "README.md").read_text()


def test_wheel_lists_the_tags_of_its_name_and_is_not_pure(wheel):
    said = said_in(wheel, "WHEEL")
    assert said.get_all("Tag") == tags(wheel)
    assert said["Root-Is-Purelib"] == "false"


def test_every_tag_is_known_to_a_pip(wheel, tmp_path):
    # There is no Python for musl here. But if sys.executable is a program that is
    # linked with musl, the installed pip behaves as in a Python for musl.
    musl = tmp_path / "musl"
    (tmp_path / "musl.c").write_text("int main(void) { return 0; }\n")
    run("musl-gcc", "-o", musl, tmp_path / "musl.c")
    known = {}
    for executable in sys.executable, musl:
        known[executable] = run(sys.executable, "-c", """if True:
            import sys
            from pip._vendor.packaging import tags
            sys.executable = sys.argv[1]
            print(*tags.platform_tags())""", executable).split()
    for tag in tags(wheel):
        platform_tag = tag.rpartition("-")[2]
        python = musl if platform_tag.startswith("musl") else sys.executable
        assert platform_tag in known[python]


def test_wheel_of_a_dynamic_program_does_not_claim_any_linux(unpacked, tmp_path):
    wheel = built_with(unpacked, tmp_path / "out", CC="gcc", LDFLAGS="")
    assert tags(wheel) == [f"py3-none-linux_{MACHINE}"]


@pytest.fixture
def compiler(tmp_path):
    """Makes a compiler that always produces a copy of the same file."""
    def make(content):
        (tmp_path / "result").write_bytes(content)
        (tmp_path / "cc").write_text(f"""#!/bin/sh
            while [ "$1" != -o ]; do shift; done
            exec cp {tmp_path}/result "$2"\n""")
        (tmp_path / "cc").chmod(0o755)
        return tmp_path / "cc"
    return make


# The headers of these files are those of dynamic programs.
@pytest.mark.parametrize("program, expected", {
    "elf32_arm": "linux_armv7l",
    "elf64_aarch64": "linux_aarch64",
    "elf64_s390x_big": "linux_s390x",
}.items())
def test_wheel_is_for_the_machine_that_the_compiler_is_for(
        program, expected, compiler, unpacked, tmp_path):
    cc = compiler((CORPUS / program).read_bytes())
    assert tags(built_with(unpacked, tmp_path / "out", CC=cc)) == [
        f"py3-none-{expected}"]


def test_wheel_for_an_unknown_machine_is_refused(compiler, unpacked, tmp_path):
    mips = bytearray((CORPUS / "elf64_aarch64").read_bytes())
    mips[18] = 8
    assert "no name for a wheel" in run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", unpacked,
        CC=compiler(mips), status=1)


def test_sdist_and_wheel_are_the_same_without_git(made, tree, tmp_path):
    before = digests(tree)
    run("sh", "-c", f"umask 077; chmod -R go= {tree}; "
        f"make -C {tree} wheel DIST={tmp_path}")
    assert digests(tmp_path) == digests(made)
    assert digests(tree) == before, "expected an unchanged source tree, got other files"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_wheel_can_be_installed_and_removed_without_a_network(
        kind, wheel, sdist, tree, no_network, tmp_path):
    # An sdist needs setuptools, so it uses the system's. Both use the system's pip:
    # installing another one takes longer than the rest of the test.
    venv = {"wheel": [], "sdist": ["--system-site-packages"]}
    options = {"wheel": [], "sdist": ["--no-build-isolation"]}
    directory = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", *venv[kind], directory)
    pip = [sys.executable, "-m", "pip", "--python", directory / "bin/python"]
    before = files(directory)

    run(*pip, "install", *options[kind], {"wheel": wheel, "sdist": sdist}[kind],
        prefix=no_network)
    program = directory / "bin/dumb-init"
    commit = (tree / "COMMIT").read_text()[:7]
    if commit.startswith("$"):  # a clone without git: the file COMMIT is not filled in
        commit = "unknown"
    assert run(program, "--version") == \
        f"dumb-init v{VERSION}\nsource - git.{commit}\n"
    run(program, "sh", "-c", "exit 3", status=3)

    run(*pip, "uninstall", "--yes", "dumb-init")
    assert files(directory) == before
