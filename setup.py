"""The parts of the build that pyproject.toml cannot express: make builds the only
script, a program, and the tags of the wheel name all platforms that can run it."""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

from setuptools import setup
from distutils.command.build_scripts import build_scripts  # setuptools has it
try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before setuptools 70.1
    from wheel.bdist_wheel import bdist_wheel

# By e_machine, bits and byte order, elf(5): the machine's name in the name of a wheel,
# and the tags for the oldest C library that has any.
MACHINES = {
    (3, 32, "<"): ("i686", "manylinux1", "manylinux_2_5"),
    (62, 64, "<"): ("x86_64", "manylinux1", "manylinux_2_5"),
    (40, 32, "<"): ("armv7l", "manylinux2014", "manylinux_2_17"),
    (183, 64, "<"): ("aarch64", "manylinux2014", "manylinux_2_17"),
    (21, 64, "<"): ("ppc64le", "manylinux2014", "manylinux_2_17"),
    (22, 64, ">"): ("s390x", "manylinux2014", "manylinux_2_17"),
    (243, 64, "<"): ("riscv64", "manylinux_2_31"),
}
PT_INTERP = 3


def read_elf(program):
    """Returns the key for MACHINES, and whether the program is static."""
    bits = {1: 32, 2: 64}[program[4]]
    order = {1: "<", 2: ">"}[program[5]]

    def field(kind, offset):
        return struct.unpack_from(order + kind, program, offset)[0]

    if bits == 64:
        start, size, count = field("Q", 32), field("H", 54), field("H", 56)
    else:
        start, size, count = field("I", 28), field("H", 42), field("H", 44)
    segments = {field("I", start + i * size) for i in range(count)}
    return (field("H", 18), bits, order), PT_INTERP not in segments


class Program(build_scripts):
    """Builds the program with make. The base class would change it like a script."""

    def get_source_files(self):
        return []

    def run(self):
        build = os.path.join(self.get_finalized_command("build").build_temp, "make")
        # musl makes the smaller program.
        cc = os.environ.get("CC") or ("musl-gcc" if shutil.which("musl-gcc") else "cc")
        subprocess.run(["make", f"BUILD={build}", f"CC={cc}"], check=True)
        self.mkpath(self.build_dir)
        self.copy_file(os.path.join(build, "dumb-init"), self.build_dir)


class Wheel(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        """Any Python 3; any C library if the program is static."""
        scripts = self.get_finalized_command("build_scripts").build_dir
        program = pathlib.Path(scripts, "dumb-init").read_bytes()
        machine, static = read_elf(program)
        if machine not in MACHINES:
            # Python knows the name of the machine that it is built for.
            if machine != read_elf(pathlib.Path(sys.executable).read_bytes())[0]:
                raise SystemExit(f"no name for a wheel with the ELF header {machine}")
            return "py3", "none", re.sub(r"\W", "_", self.plat_name)
        name, *libraries = MACHINES[machine]
        libraries = [*libraries, "musllinux_1_1"] if static else ["linux"]
        return "py3", "none", ".".join(f"{each}_{name}" for each in libraries)


setup(
    version=re.search(r"^VERSION = (\S+)$", pathlib.Path("Makefile").read_text(),
                      re.M)[1],
    scripts=["dumb-init"],
    cmdclass={"build_scripts": Program, "bdist_wheel": Wheel},
)
