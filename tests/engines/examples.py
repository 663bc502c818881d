"""Shared by the tests of examples/: base images, the examples' own images, and
checks of the files that Kubernetes and ECS read.

No registry can be reached here. The tests make substitutes for the base images, under
the names that the Dockerfiles give in FROM:

    alpine                    Debian's busybox, and nothing of Alpine
    debian, python and node   one image, with the essential packages of this machine's
                              Debian, its python3, and its nodejs from any source
"""

import contextlib
import fcntl
import functools
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from kubernetes.client import models

from conftest import ENGINES, docker

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
# Files of packages that no example needs.
LEFT_OUT = re.compile(r"/usr/(include|lib/node_modules"
                      r"|share/(doc|man|locale|info|i18n|zoneinfo|perl))(/|$)")


def run(*words, **options):
    options = {"check": True, "stdin": subprocess.DEVNULL, "timeout": 600,
               "stdout": subprocess.PIPE} | options
    return subprocess.run(words, **options)


@contextlib.contextmanager
def lock(name):
    """A lock against the other workers of pytest-xdist."""
    with open(ENGINES / f"{name}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def words(dockerfile, instruction):
    """The words of the JSON form of an instruction in a Dockerfile."""
    line = re.search(rf"^{instruction} (.*)$", dockerfile.read_text(), re.M)
    return json.loads(line[1])


def with_dependencies(names):
    """Installed packages, and their installed dependencies."""
    listed = run("dpkg-query", "-W", "-f",
                 "${Package}\t${Provides}\t${Pre-Depends}, ${Depends}\n")
    depends, provider = {}, {}
    for line in listed.stdout.decode().splitlines():
        package, provides, needs = line.split("\t")
        depends[package] = re.findall(r"(?:^|[,|]) *([^ ,|:(]+)", needs)
        for name in re.findall(r"(?:^|,) *([^ ,(]+)", provides):
            provider.setdefault(name, package)
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        package = name if name in depends else provider.get(name)
        if package and package not in found:
            found.add(package)
            todo += depends[package]
    return found


def debian():
    """A tar file of Debian's essential packages, of Python and of Node.js."""
    listed = run("dpkg-query", "-W", "-f", "${Package} ${Essential}\n")
    names = re.findall("^([^ ]+) yes$", listed.stdout.decode(), re.M)
    packages = with_dependencies([*names, "python3", "nodejs"])
    files = run("dpkg-query", "-L", *packages).stdout.decode()
    # The packages list /bin/sh. The file is /usr/bin/sh, because /bin is a link.
    real = {os.path.join(os.path.realpath(os.path.dirname(name)),
                         os.path.basename(name))
            for name in files.splitlines() if name.startswith("/")}
    links = {f"/{name}" for name in os.listdir("/")
             if name.startswith(("bin", "lib", "sbin")) and os.path.islink(f"/{name}")}
    image = io.BytesIO()
    with tarfile.open(fileobj=image, mode="w") as tar:
        for name in sorted((real | links) - {"/"}):
            if not LEFT_OUT.match(name) and os.path.lexists(name):
                tar.add(name, recursive=False)
        for name in ("passwd", "group"):
            tar.add(f"/usr/share/base-passwd/{name}.master", f"/etc/{name}")
    return image.getvalue()


def alpine():
    """A tar file of busybox, with the user root, so that crond finds a crontab."""
    image = io.BytesIO()
    applets = run("busybox", "--list").stdout.decode().split()
    with tarfile.open(fileobj=image, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for name in set(applets) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "/bin/busybox"
            tar.addfile(link)
        passwd = b"root:x:0:0:root:/root:/bin/sh\n"
        file = tarfile.TarInfo("etc/passwd")
        file.size = len(passwd)
        tar.addfile(file, io.BytesIO(passwd))
        for name in ("proc", "root", "run", "sys", "tmp", "usr/bin", "var"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(directory)
    return image.getvalue()


def is_there(image):
    return run(*docker("docker"), "image", "inspect", image, check=False,
               stderr=subprocess.DEVNULL).returncode == 0


def make_base(name):
    """Makes the image that a Dockerfile names in FROM, unless it is there."""
    if name == "scratch":
        return
    make = alpine if name.startswith("alpine:") else debian
    with lock(make.__name__):
        if not is_there(make.__name__):
            run(*docker("docker"), "import", "-", make.__name__, input=make(),
                stdin=None)
    run(*docker("docker"), "tag", make.__name__, name)


def context(directory):
    """A copy of the examples that is ready to be built."""
    shutil.copytree(EXAMPLES, directory)
    for dockerfile in directory.glob("*/Dockerfile"):
        shutil.copy(os.environ["INIT"], dockerfile.parent / "dumb-init")
    return directory


def build(name, directory):
    """Builds the image of an example in context(), unless it is there. Returns its
    name."""
    here = directory / name
    image = f"dumb-init-{name}"
    with lock(image):
        if is_there(image):
            return image
        dockerfile = (here / "Dockerfile").read_text()
        make_base(re.search("^FROM (.*)$", dockerfile, re.M)[1])
        for source in here.glob("*.c"):
            run("musl-gcc", "-static", "-o", source.with_suffix(""), source)
        # BuildKit would ask a registry for the image that FROM names.
        run(*docker("docker"), "build", "--network", "none", "--tag", image, here,
            env=os.environ | {"DOCKER_BUILDKIT": "0"})
    return image


def seconds(words, option):
    """The duration that follows an option of dumb-init, in seconds."""
    text = words[words.index(option) + 1].rpartition(":")[2]
    return float(re.fullmatch(r"([0-9.]+)s", text)[1])


SCALARS = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def check_kubernetes(value, kind, where):
    """Asserts that a value of a document has this type of Kubernetes, no unknown field,
    and all required fields. where: its path, for messages."""
    if kind in SCALARS:
        assert isinstance(value, SCALARS[kind]) and (
            kind == "bool" or not isinstance(value, bool)), f"{where}: not {kind}"
        return value
    if kind.startswith("list["):
        assert isinstance(value, list), f"{where}: not a list"
        return [check_kubernetes(item, kind[len("list["):-1], f"{where}[{number}]")
                for number, item in enumerate(value)]
    assert isinstance(value, dict), f"{where}: has no fields"
    if kind.startswith("dict("):
        kind = kind[len("dict(str, "):-1]
        return {name: check_kubernetes(item, kind, f"{where}.{name}")
                for name, item in value.items()}
    model = getattr(models, kind)
    fields = {name: field for field, name in model.attribute_map.items()}
    if kind == "V1Volume" and "image" not in fields:
        # Kubernetes 1.31 added image volumes. The models of Debian 12 are older.
        image = value.get("image", {})
        assert set(image) <= {"reference", "pullPolicy"}, f"{where}.image: {image}"
        value = {name: item for name, item in value.items() if name != "image"}
    unknown = set(value) - set(fields)
    assert not unknown, f"{where}: no such field: {unknown}"
    # The constructor refuses a missing field, and a value outside of an enumeration.
    return model(**{
        fields[name]: check_kubernetes(
            item, model.openapi_types[fields[name]], f"{where}.{name}")
        for name, item in value.items()})


@functools.cache
def ecs_task():
    model = ServiceModel(Loader().load_service_model("ecs", "service-2"))
    return model.operation_model("RegisterTaskDefinition").input_shape


def ecs_errors(task):
    """The parts of a task definition that ECS would not accept; "" if none."""
    return ParamValidator().validate(task, ecs_task()).generate_report()
