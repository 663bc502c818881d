"""The image of `make oci`, used as the README and examples/kubernetes say: copied from
in a Dockerfile, mounted into a container, and in an init container.

It has the tested program for this machine's platform alone;
tests/packages/test_oci.py has the others."""

import contextlib
import json
import os
import pathlib
import platform
import re
import shutil

import psutil
import pytest
import yaml

from conftest import (AT_ONCE, DEFAULTS, ENGINES, NO_NETWORK, PODMAN, PODMAN_RUN,
                      SCRIPT, Container, Engine, docker, remove_pod)
from examples import EXAMPLES, lock, run

ROOT = pathlib.Path(__file__).parents[2]
VERSION, = re.findall(r"^VERSION = (\S+)$", (ROOT / "Makefile").read_text(), re.M)
IMAGE = f"dumb-init:{VERSION}"


@pytest.fixture(scope="session", name="layout")
def image_layout(tmp_path_factory):
    """The path of the layout; with .tar that of the archive."""
    directory = tmp_path_factory.mktemp("oci")
    machine = platform.machine()
    shutil.copy(os.environ["INIT"], directory / f"dumb-init_{VERSION}_{machine}")
    run(ROOT / "packaging/oci", VERSION, "0" * 40, "https://dumb-init.invalid",
        "1700000000", directory, machine)
    return directory / f"dumb-init_{VERSION}.oci"


def load(name, layout):
    """Loads the image as docs/install.md says."""
    with lock("image"):
        if name == "podman":
            run(*PODMAN, "load", "--input", f"{layout}.tar")
        else:
            run("skopeo", "--insecure-policy", "copy", "--dest-daemon-host",
                docker("docker")[-1], f"oci-archive:{layout}.tar",
                f"docker-daemon:{IMAGE}")


@pytest.fixture(params=["docker", "podman"])
def engine(request, layout):
    """An engine that has loaded the image."""
    load(request.param, layout)
    if request.param == "docker":
        engine = Engine(docker("docker"), NO_NETWORK, "plain", "/usr/bin/dumb-init")
    else:
        engine = Engine(PODMAN, PODMAN_RUN, "plain", "/usr/bin/dumb-init")
    yield engine
    engine.remove_all()


def build(engine, lines, directory, name):
    """Builds an image from the lines of a Dockerfile. Returns its name."""
    (directory / "Dockerfile").write_text("".join(f"{line}\n" for line in lines))
    name = f"{name}-{directory.name}".lower().replace("_", "-")
    # BuildKit would ask a registry for the image that FROM names.
    engine("build", "--network", "none", "--tag", name, str(directory),
           env=os.environ | {"DOCKER_BUILDKIT": "0"})
    return name


def lines_of_readme():
    """The lines for a Dockerfile at the beginning of the README, with the image."""
    text = (ROOT / "README.md").read_text()
    copy, entrypoint = (re.search(rf"^    ({line}.*)$", text, re.M)[1]
                        for line in ("COPY --from=IMAGE", "ENTRYPOINT"))
    return [copy.replace("IMAGE", IMAGE), entrypoint]


def stops(container, inside):
    """Stops a container. It must stop at once and leave no process."""
    before = container.processes()
    assert len(before) == inside
    assert container.stop() < AT_ONCE
    assert container.status() == 143
    assert not any(process.is_running() for process in before)


def test_image_says_version_and_origin(engine):
    found, = json.loads(engine("image", "inspect", IMAGE).stdout)
    assert found["Config"]["Entrypoint"] == ["/dumb-init", "--"]
    labels = found["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION
    assert found["Size"] < 100_000


def test_image_runs_its_own_program(engine):
    result = engine.run("/dumb-init", "--version", image=IMAGE)
    assert result.stdout.startswith(f"dumb-init v{VERSION}\n")


def test_container_of_the_two_lines_of_the_readme_stops_at_once(engine, tmp_path):
    image = build(engine, ["FROM plain", *lines_of_readme()], tmp_path, "copied")
    container = engine.start("sh", "-c", SCRIPT, image=image)
    container.wait_for("^ready$")
    words = psutil.Process(container.pid).cmdline()
    assert words[:3] == ["/usr/bin/dumb-init", "--", "sh"]
    stops(container, 3)


@pytest.mark.parametrize("name", ["dumb-init", "tini", "docker-init"])
def test_each_name_in_the_image_can_be_copied(name, engine, tmp_path):
    image = build(engine, ["FROM plain", f"COPY --from={IMAGE} /{name} /sbin/init"],
                  tmp_path, "named")
    assert engine.run("cmp", "/sbin/init", "/usr/bin/dumb-init",
                      image=image).returncode == 0
    assert engine.run("/sbin/init", "--", "echo", "runs",
                      image=image).stdout == "runs\n"


def pod(name):
    return yaml.safe_load((EXAMPLES / "kubernetes" / name).read_text())


def test_image_mounted_as_a_volume_gives_an_init_to_another_image(layout):
    """Podman's image mounts stand for the image volumes of Kubernetes."""
    load("podman", layout)
    spec = pod("image-volume.yaml")["spec"]
    [container], [volume] = spec["containers"], spec["volumes"]
    [mount] = container["volumeMounts"]
    assert mount["name"] == volume["name"]
    engine = Engine(PODMAN, PODMAN_RUN, "plain", container["command"][0])
    try:
        running = engine.start(
            *container["command"][1:], "sh", "-c", SCRIPT, options=[
                "--entrypoint", container["command"][0], "--mount",
                f"type=image,source={IMAGE},destination={mount['mountPath']}"])
        running.wait_for("^ready$")
        stops(running, 3)
    finally:
        engine.remove_all()


def pod_cgroups():
    """The cgroups in which Podman puts Pods, and those below."""
    # Not rglob(), which fails if a cgroup is removed meanwhile.
    paths = (pathlib.Path(path) for path, _, _ in os.walk("/sys/fs/cgroup"))
    return {path for path in paths if "libpod_parent" in path.parts}


@pytest.fixture(name="kube")
def kube_play(tmp_path):
    """kube(WORD...): runs podman with the limits that this machine allows."""
    before = pod_cgroups()
    conf = tmp_path / "containers.conf"
    conf.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", '
                    '"nproc=4096:4096"]\n')

    def kube(*words):
        return run(*PODMAN, *words, text=True, cwd=ENGINES,
                   env=os.environ | {"CONTAINERS_CONF": str(conf)})
    yield kube
    # Podman leaves them.
    for path in sorted(pod_cgroups() - before, reverse=True):
        with contextlib.suppress(OSError):  # another engine's Pod is in it
            path.rmdir()


def test_init_container_gives_an_init_to_another_image(layout, kube, tmp_path):
    load("podman", layout)
    engine = Engine(PODMAN, PODMAN_RUN, None, None)
    text = (EXAMPLES / "kubernetes/init-container.yaml").read_text()
    dockerfile = re.findall(r"^#     (.*)$", text, re.M)
    assert [line.split()[0] for line in dockerfile] == ["FROM", "COPY", "CMD"]
    copier = build(engine, ["FROM plain", dockerfile[1].replace("IMAGE", IMAGE),
                            dockerfile[2]], tmp_path, "copier")
    document = yaml.safe_load(text)
    spec = document["spec"]
    name = document["metadata"]["name"] = copier.replace("copier", "pod")
    # By default Podman 4.3 removes the init container, sometimes before it has exited.
    document["metadata"]["annotations"] = {
        "io.podman.annotations.init.container.type": "always"}
    [first], [container] = spec["initContainers"], spec["containers"]
    first["image"], container["image"] = copier, "plain"
    first["imagePullPolicy"] = container["imagePullPolicy"] = "Never"
    container["args"] = ["sh", "-c", SCRIPT]
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(document))
    try:
        kube("play", "kube", "--network", "none", str(file))
        running = Container(engine, f"{name}-{container['name']}")
        running.wait_for("^ready$")
        words = psutil.Process(running.pid).cmdline()
        assert words[0] == container["command"][0]
        stops(running, 3)
    finally:
        remove_pod(name)


def test_containerd_imports_the_image(layout):
    ctr = ["ctr", "--address", f"{ENGINES}/containerd.sock", "--namespace", "image"]
    run(*ctr, "images", "import", f"{layout}.tar")
    said = run(*ctr, "images", "check").stdout.decode()
    assert re.search(rf"^\S*{re.escape(IMAGE)} .* complete ", said, re.M), said
