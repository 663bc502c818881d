# What goes to other people's machines, left in $(DIST). docs/releasing.md says
# in what order.
DIST = dist

# The source, as it is committed.
dist:
	@packaging/dist $(VERSION) $(DIST)

# Static programs, and what goes with them: of RELEASE, or all that are in
# packaging/architectures.
RELEASE =
RELEASE_NEEDS = gcc libc6-dev musl-tools python3 gcc-aarch64-linux-gnu \
	gcc-arm-linux-gnueabihf gcc-i686-linux-gnu gcc-powerpc64le-linux-gnu \
	gcc-s390x-linux-gnu gcc-riscv64-linux-gnu gcc-mips64el-linux-gnuabi64 \
	libc6-dev-arm64-cross libc6-dev-armhf-cross libc6-dev-i386-cross \
	libc6-dev-ppc64el-cross libc6-dev-s390x-cross libc6-dev-riscv64-cross \
	libc6-dev-mips64el-cross

release-build:
	@tools/need $(RELEASE_NEEDS)
	@packaging/release-build $(VERSION) $(BUILD) $(DIST) $(RELEASE)

# The behaviour tests for each of them, under qemu where it has to be.
release: release-build
	@tools/need qemu-user-static python3-pytest python3-pytest-timeout \
		python3-pytest-xdist \
		python3-psutil python3-pexpect strace procps
	@$(GLIBC) -s helpers
	@packaging/release-test $(VERSION) $(BUILD) $(BUILD)/glibc/helpers $(DIST) \
		$(RELEASE)

# Everything that is made here is tried.
test-packages:
	@tools/need python3-pytest python3-pytest-timeout python3-psutil \
		python3-pexpect binutils $(RELEASE_NEEDS)
	@tests/run-packages tests/packages $(PYTEST_ARGS)

.PHONY: dist release-build release test-packages
