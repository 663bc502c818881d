"""The results of make release-build: static programs, their sums, an SBOM."""

import hashlib
import json
import re
import subprocess

import pytest

from contents import ELSEWHERE, ROOT, built_in_a_copy

# For each architecture, the words of readelf and a bound on the size, less than 10 %
# above the size when this was written.
PROGRAMS = {
    "x86_64": ("ELF64", "little", "Advanced Micro Devices X86-64", 40 * 1024),
    "aarch64": ("ELF64", "little", "AArch64", 56 * 1024),
    "armv7": ("ELF32", "little", "ARM", 40 * 1024),
    "i386": ("ELF32", "little", "Intel 80386", 44 * 1024),
    "ppc64le": ("ELF64", "little", "PowerPC64", 61 * 1024),
    "s390x": ("ELF64", "big", "IBM S/390", 53 * 1024),
    "riscv64": ("ELF64", "little", "RISC-V", 41 * 1024),
    "mips64el": ("ELF64", "little", "MIPS R3000", 68 * 1024),
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    return built_in_a_copy("release-build", tmp_path_factory.mktemp("release") / "tree")


@pytest.fixture(scope="module")
def files(dist):
    """The programs, by architecture."""
    return {path.name.split("_", 2)[2]: path for path in dist.glob("dumb-init_*_*")}


def digest(path, algorithm="sha256"):
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


def test_release_has_a_program_for_each_processor_and_nothing_else(dist, files):
    assert set(files) == set(PROGRAMS)
    others = {path.name for path in dist.iterdir()} - {
        path.name for path in files.values()}
    assert {re.sub(r"_\d[^_]*?\.spdx", "_VERSION.spdx", name) for name in others} == {
        "SHA256SUMS", "dumb-init_VERSION.spdx.json"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_small_static_and_for_its_processor(files, name):
    elf_class, order, machine, bound = PROGRAMS[name]
    text = subprocess.run(["readelf", "--wide", "--file-header", "--program-headers",
                           files[name]], check=True, capture_output=True, text=True,
                          env={"LC_ALL": "C", "PATH": "/usr/bin"}).stdout
    assert re.search(rf"Class: +{elf_class}\n", text)
    assert re.search(rf"Data: .*, {order} endian\n", text)
    assert re.search(rf"Machine: +{re.escape(machine)}\n", text)
    assert re.search(r"Type: +EXEC ", text)
    assert "INTERP" not in text and "DYNAMIC" not in text
    # A program without GNU_STACK may get an executable stack.
    assert re.search(r"GNU_STACK .* RW ", text)
    assert files[name].stat().st_size <= bound


def test_sums_are_true_of_every_file(dist):
    result = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"],
                            cwd=dist, check=True, capture_output=True, text=True)
    checked = {line.removesuffix(": OK") for line in result.stdout.splitlines()}
    assert checked == {path.name for path in dist.iterdir()} - {"SHA256SUMS"}


@pytest.fixture(scope="module")
def sbom(dist):
    path, = dist.glob("*.spdx.json")
    return json.loads(path.read_text(encoding="utf-8"))


# The required fields of SPDX 2.3: clauses 6 (document), 7 (package), 8 (file).
MUST_HAVE = {
    "document": {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace",
                 "creationInfo"},
    "packages": {"name", "SPDXID", "versionInfo", "downloadLocation"},
    "files": {"fileName", "SPDXID", "checksums"},
    "relationships": {"spdxElementId", "relationshipType", "relatedSpdxElement"},
}


def test_sbom_has_the_fields_of_spdx(sbom):
    assert (sbom["spdxVersion"], sbom["dataLicense"], sbom["SPDXID"]) == (
        "SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert MUST_HAVE["document"] <= set(sbom)
    for kind in ("packages", "files", "relationships"):
        for each in sbom[kind]:
            assert MUST_HAVE[kind] <= set(each)
    assert re.fullmatch(r"[a-z]+:[^#\s]+", sbom["documentNamespace"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                        sbom["creationInfo"]["created"])
    assert all(re.fullmatch("(Person|Organization|Tool): .+", creator)
               for creator in sbom["creationInfo"]["creators"])


def test_sbom_refers_only_to_its_own_elements(sbom):
    elements = [sbom, *sbom["packages"], *sbom["files"]]
    ids = [each["SPDXID"] for each in elements]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", each) for each in ids)
    for edge in sbom["relationships"]:
        assert {edge["spdxElementId"], edge["relatedSpdxElement"]} <= set(ids)


def test_sbom_has_the_date_of_the_changelog(sbom):
    epoch = subprocess.run([ROOT / "packaging/epoch"], check=True, text=True,
                           capture_output=True).stdout.strip()
    said = subprocess.run(["date", "+%s", "-d", sbom["creationInfo"]["created"]],
                          check=True, text=True, capture_output=True).stdout.strip()
    assert said == epoch


def test_sbom_names_every_program_with_its_sums(sbom, files):
    named = {entry["fileName"]: {each["algorithm"]: each["checksumValue"]
                                 for each in entry["checksums"]}
             for entry in sbom["files"]}
    assert named == {f"./{path.name}": {"SHA1": digest(path, "sha1"),
                                        "SHA256": digest(path)}
                     for path in files.values()}
    ours = next(each for each in sbom["packages"] if each["name"] == "dumb-init")
    sums = "".join(sorted(digest(path, "sha1") for path in files.values()))
    assert ours["packageVerificationCode"]["packageVerificationCodeValue"] == \
        hashlib.sha1(sums.encode()).hexdigest()


def test_sbom_names_the_libraries_linked_into_each_program(sbom):
    names = {each["SPDXID"]: each["name"] for each in sbom["packages"]}
    linked = {entry["fileName"].split("_", 2)[2]: sorted(
        names[edge["relatedSpdxElement"]] for edge in sbom["relationships"]
        if edge["relationshipType"] == "STATIC_LINK" and
        edge["spdxElementId"] == entry["SPDXID"]) for entry in sbom["files"]}
    assert set(linked) == set(PROGRAMS)
    for name, packages in linked.items():
        assert len(packages) == 2, name
        assert packages[0].startswith("libgcc-")
        assert packages[1] == "musl-dev"


@pytest.mark.timeout(900)
def test_release_built_again_elsewhere_and_later_is_the_same(dist, tmp_path):
    """It is later, because the first build took many seconds."""
    again = built_in_a_copy(
        "release-build", tmp_path / "a-directory-whose-path-is-longer" / "tree",
        before=["sh", "-c", 'umask 077 && exec "$@"', "sh"], **ELSEWHERE)
    assert {path.name: digest(path) for path in again.iterdir()} == \
        {path.name: digest(path) for path in dist.iterdir()}
