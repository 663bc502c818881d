"""The image of make oci, for all platforms: its files, read by the rules of the
specification and by skopeo, and the programs in it, run by Podman and qemu.
tests/engines/test_image.py has the uses of the image."""

import hashlib
import io
import json
import pathlib
import re
import socket
import subprocess
import tarfile
import uuid

import jsonschema
import pytest

from contents import ELSEWHERE, ROOT, VERSION, built_in_a_copy, run
from watch import wait_until

# For each architecture of make release, the platform and a bound on its size in bytes.
PLATFORMS = {
    "x86_64": ("linux/amd64", 30 * 1024),
    "aarch64": ("linux/arm64/v8", 35 * 1024),
    "armv7": ("linux/arm/v7", 30 * 1024),
    "i386": ("linux/386", 30 * 1024),
    "ppc64le": ("linux/ppc64le", 35 * 1024),
    "s390x": ("linux/s390x", 30 * 1024),
    "riscv64": ("linux/riscv64", 30 * 1024),
    "mips64el": ("linux/mips64le", 40 * 1024),
}
NAME = f"dumb-init:{VERSION}"
# From golang-github-opencontainers-image-spec-dev.
SCHEMAS = pathlib.Path(
    "/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")
COPY = "tests/packages/on-a-copy"


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    return built_in_a_copy("oci", tmp_path_factory.mktemp("oci") / "tree")


@pytest.fixture(scope="module")
def layout(dist):
    return dist / f"dumb-init_{VERSION}.oci"


@pytest.fixture(scope="module")
def image(layout):
    """The descriptor of the image's index."""
    descriptor, = json.loads((layout / "index.json").read_text())["manifests"]
    return descriptor


@pytest.fixture(scope="module")
def manifests(layout, image):
    """The manifests, and then the configurations, by platform."""
    found = {}
    for descriptor in document(layout, image)["manifests"]:
        fields = descriptor["platform"]
        manifest = document(layout, descriptor)
        config = document(layout, manifest["config"])
        found["/".join(fields.values())] = manifest, config
        # A builder chooses by the index, and an engine warns if config differs.
        assert fields.items() <= config.items()
    return found


def blob(layout, descriptor):
    """The content that a descriptor stands for, which must agree with it."""
    content = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    assert len(content) == descriptor["size"]
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
    return content


def document(layout, descriptor):
    return json.loads(blob(layout, descriptor))


def files(directory):
    """The mode and the content of each file."""
    return {str(path.relative_to(directory)): (path.stat().st_mode, path.read_bytes())
            for path in directory.rglob("*") if path.is_file()}


def skopeo(*words):
    return run("skopeo", "--insecure-policy", *words)


def test_image_has_a_manifest_with_one_layer_for_each_platform(manifests):
    assert list(manifests) == [platform for platform, _ in PLATFORMS.values()]
    for manifest, _ in manifests.values():
        kinds = [each["mediaType"] for each in (manifest["config"], *manifest["layers"])]
        assert kinds == [f"application/vnd.oci.image.{kind}"
                         for kind in ("config.v1+json", "layer.v1.tar+gzip")]


def stored(url):
    """The schema to which another one refers by this address."""
    return json.loads((SCHEMAS / url.rpartition("/")[2]).read_text())


def valid(content, name):
    """Asserts that a document is valid by a schema. Nothing is fetched."""
    schema = stored(name)
    resolver = jsonschema.RefResolver.from_schema(schema, handlers={"https": stored})
    jsonschema.Draft4Validator(schema, resolver=resolver).validate(content)


def test_layout_is_valid_by_the_schemas_of_the_specification(layout, image, manifests):
    valid(json.loads((layout / "oci-layout").read_text()), "image-layout-schema.json")
    valid(json.loads((layout / "index.json").read_text()), "image-index-schema.json")
    valid(document(layout, image), "image-index-schema.json")
    for manifest, config in manifests.values():
        valid(manifest, "image-manifest-schema.json")
        valid(config, "config-schema.json")


def test_schemas_refuse_a_wrong_manifest(manifests):
    manifest, _ = manifests["linux/amd64"]
    wrong = manifest | {"layers": [manifest["layers"][0] | {"digest": "sha256-1"}]}
    with pytest.raises(jsonschema.ValidationError, match="sha256-1"):
        valid(wrong, "image-manifest-schema.json")


def test_layout_has_no_blob_that_the_image_does_not_need(layout, image, manifests):
    needed = [image, *document(layout, image)["manifests"]]
    for manifest, _ in manifests.values():
        needed += [manifest["config"], *manifest["layers"]]
    assert set(files(layout)) == {"oci-layout", "index.json", *(
        f"blobs/{each['digest'].replace(':', '/')}" for each in needed)}


@pytest.mark.parametrize("name", PLATFORMS)
def test_layer_has_the_program_its_links_and_the_licence(name, dist, layout, manifests):
    manifest, config = manifests[PLATFORMS[name][0]]
    epoch = int(run("packaging/epoch"))
    program = (dist / f"dumb-init_{VERSION}_{name}").read_bytes()
    expected = {"LICENSE": (ROOT / "LICENSE").read_bytes(), "dumb-init": program,
                "docker-init": program, "tini": program}
    content = io.BytesIO(blob(layout, manifest["layers"][0]))
    with tarfile.open(fileobj=content) as archive:
        assert {member.name: archive.extractfile(member).read()
                for member in archive} == expected
        for member in archive:
            assert (member.uid, member.gid, member.mtime) == (0, 0, epoch)
            assert member.mode == (0o644 if member.name == "LICENSE" else 0o755)
            assert member.islnk() == (member.name in ("docker-init", "tini"))
    content.seek(0)
    unpacked = subprocess.run(["gzip", "-dc"], input=content.read(), check=True,
                              stdout=subprocess.PIPE).stdout
    assert config["rootfs"]["diff_ids"] == [
        f"sha256:{hashlib.sha256(unpacked).hexdigest()}"]


@pytest.mark.parametrize("name", PLATFORMS)
def test_platform_is_small(name, manifests):
    platform, bound = PLATFORMS[name]
    manifest, _ = manifests[platform]
    sizes = [each["size"] for each in (manifest["config"], *manifest["layers"])]
    assert sum(sizes) <= bound


def test_image_and_manifests_say_their_origin(layout, image, manifests):
    revision = run("git", "rev-parse", "HEAD").strip()
    expected = {f"org.opencontainers.image.{name}": value for name, value in {
        "title": "dumb-init", "description": "a small init for containers",
        "version": VERSION, "revision": revision, "licenses": "MIT",
        "source": "https://dumb-init.invalid"}.items()}
    assert document(layout, image)["annotations"] == expected
    for manifest, config in manifests.values():
        assert manifest["annotations"] == expected
        assert config["config"] == {"Entrypoint": ["/dumb-init", "--"],
                                    "Labels": expected}
        assert config["created"] == run(
            "date", "-u", "+%Y-%m-%dT%H:%M:%SZ", "-d",
            f"@{run('packaging/epoch').strip()}").strip()


def test_archive_has_the_files_of_the_layout(layout, tmp_path):
    run("tar", "-xf", f"{layout}.tar", "-C", tmp_path)
    assert files(tmp_path) == files(layout)


def test_image_made_again_elsewhere_and_later_is_the_same(dist, layout, tmp_path):
    """With the same programs: test_release.py builds these again."""
    tree = tmp_path / "a-directory-whose-path-is-longer"
    (tree / "dist").mkdir(parents=True)
    run("packaging/tree", tree)
    for program in dist.glob("dumb-init_*_*"):
        (tree / "dist" / program.name).write_bytes(program.read_bytes())
    run("sh", "-c", f"""umask 077
        packaging/oci {VERSION} $(cat COMMIT) https://dumb-init.invalid \
            "$(packaging/epoch)" dist""", cwd=tree, env=ELSEWHERE)
    assert files(tree / "dist" / layout.name) == files(layout)
    assert (tree / "dist" / f"{layout.name}.tar").read_bytes() == \
        (dist / f"{layout.name}.tar").read_bytes()


@pytest.mark.parametrize("transport", ["oci:{}", "oci-archive:{}.tar"])
@pytest.mark.parametrize("name", PLATFORMS)
def test_skopeo_shows_each_platform(name, transport, layout, image):
    platform = PLATFORMS[name][0]
    _, architecture, variant = f"{platform}/".split("/")[:3]
    override = ["--override-arch", architecture]
    if variant:
        override += ["--override-variant", variant]
    said = json.loads(skopeo(*override, "inspect", transport.format(layout)))
    assert (said["Os"], said["Architecture"]) == ("linux", architecture)
    assert said["Digest"] == image["digest"]
    assert said["Labels"]["org.opencontainers.image.version"] == VERSION


@pytest.fixture
def registry(tmp_path):
    """A registry on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {"version": 0.1, "http": {"addr": f"127.0.0.1:{port}"},
              "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}}
    (tmp_path / "config").write_text(json.dumps(config))
    log = tmp_path / "log"
    with log.open("w") as file, subprocess.Popen(
            ["docker-registry", "serve", tmp_path / "config"], stdin=subprocess.DEVNULL,
            stdout=file, stderr=file) as server:
        try:
            wait_until(lambda: "listening on" in log.read_text(), "the registry")
            yield f"127.0.0.1:{port}"
        finally:
            server.kill()


def test_registry_gets_all_platforms_unchanged(layout, image, registry, tmp_path):
    """By the command in docs/releasing.md."""
    command = re.search(r"^    skopeo (copy .*NAME:VERSION)$",
                        (ROOT / "docs/releasing.md").read_text(), re.M)[1]
    command = command.replace("NAME", f"{registry}/a/name").replace(
        "dist", str(layout.parent)).replace("VERSION", VERSION)
    skopeo(*command.split(), "--dest-tls-verify=false")
    name = f"docker://{registry}/a/name:{VERSION}"
    raw = skopeo("inspect", "--tls-verify=false", "--raw", name)
    assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == image["digest"]
    skopeo("copy", "--all", "--src-tls-verify=false", name, f"oci:{tmp_path}/copy:copy")
    assert files(tmp_path / "copy/blobs").keys() == files(layout / "blobs").keys()


# The kernel cannot start a foreign program, so qemu is PID 1, and runs dumb-init.
# COMMAND is this machine's busybox. Podman's files vanish with the copy of the machine.
FOREIGN = r"""
set -eu
export CONTAINERS_STORAGE_CONF=/mnt/storage.conf TMPDIR=/mnt
printf '%s\n' '[storage]' 'driver = "overlay"' 'graphroot = "/mnt/podman"' \
	'runroot = "/run/podman"' >/mnt/storage.conf
podman() {
	/usr/bin/podman --runtime runc --cgroup-manager cgroupfs "$@"
}
archive=$1 cgroup=$2
while read -r name debian prefix musl qemu platform node; do
	IFS=/ read -r os architecture variant <<-END
		$platform
	END
	image=$(podman pull --quiet --os "$os" --arch "$architecture" \
		${variant:+--variant "$variant"} "oci-archive:$archive")
	podman image inspect --format '{{.Os}}/{{.Architecture}}' "$image"
	podman run --rm --network none --cgroup-parent "/$cgroup" \
		--ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
		--volume "/usr/bin/qemu-$qemu-static:/qemu:ro" \
		--volume /bin/busybox:/busybox:ro --entrypoint /qemu \
		"$image" /dumb-init --verbose -- \
		/busybox sh -c "echo $name has PID \$\$, and PID 1 is \$(
			/busybox tr '\\0' ' ' </proc/1/cmdline)"
done
"""


def test_program_of_each_platform_is_pid_1_under_qemu(layout):
    cgroup = f"dumb-init-packages-{uuid.uuid4().hex}"
    table = "".join(line for line in (ROOT / "packaging/architectures").read_text()
                    .splitlines(keepends=True) if not line.startswith("#"))
    try:
        said = run(COPY, "sh", "-c", FOREIGN, "sh", f"{layout}.tar", cgroup,
                   stdin=None, input=table)
    finally:
        run("find", "/sys/fs/cgroup", "-ignore_readdir_race", "-depth", "-type", "d", "-path",
            f"*/{cgroup}*", "-exec", "rmdir", "{}", ";")
    for name, (platform, _) in PLATFORMS.items():
        assert "/".join(platform.split("/")[:2]) in said.splitlines()
