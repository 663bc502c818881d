# make dist       the committed source as a tarball, in $(DIST)
# make wheel      for pip
# make builddeb   for Debian; builddeb-docker in a container, BASE_IMAGE=debian:trixie
# make buildrpm   for distributions with rpm
# make apkbuild   for Alpine: the tarball and the APKBUILD
# make release    static programs for eight processors, and their tests; RELEASE=s390x
# make oci        from these one container image for all platforms
# make npm        from these packages for Node.js
# make sums       SHA256SUMS of all files in $(DIST)

# docs/releasing.md describes the order.
DIST = dist

dist:
	@packaging/dist $(VERSION) $(DIST)

# The program, static unless CC and LDFLAGS say otherwise, and its source.
WHEEL_BUILD = gcc libc6-dev musl-tools python3-build python3-setuptools \
	python3-wheel
wheel:
	@tools/need $(WHEEL_BUILD)
	@packaging/wheel $(VERSION) $(DIST)

# The packages that debian/control requires.
DEBIAN_BUILD = build-essential debhelper musl-tools libcmocka-dev
builddeb:
	@tools/need $(DEBIAN_BUILD)
	@packaging/builddeb $(VERSION) $(DIST)

# The same in a container, with Docker or Podman: builddeb-docker
# BASE_IMAGE=debian:bookworm DOCKER_ARGS='--network host'
BASE_IMAGE = debian:bookworm
builddeb-docker:
	@packaging/builddeb-docker $(BASE_IMAGE) $(VERSION) $(DIST) \
		$(DEBIAN_BUILD)

# The spec is for distributions with rpm, but the rpm can be built here, too.
RPM_BUILD = gcc libc6-dev libcmocka-dev musl-tools rpm
buildrpm:
	@tools/need $(RPM_BUILD)
	@packaging/buildrpm $(VERSION) $(DIST) --with musl

# For abuild, which needs the tarball and an APKBUILD with its sum.
apkbuild: dist
	@packaging/apkbuild $(VERSION) $(DIST)

# Static programs, their sums and an SBOM, for the architectures in RELEASE, or for all
# in packaging/architectures.
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

# The behaviour tests for each program, under qemu where necessary; with QUICK=1 those of
# make test-quick.
release: release-build
	@tools/need $(BEHAVIOUR_NEEDS) python3-pytest-rerunfailures qemu-user-static
	@$(GLIBC) -s helpers
	@packaging/release-test $(VERSION) $(BUILD) $(BUILD)/glibc/helpers $(DIST) \
		$(RELEASE)

# An image to copy the program from. SOURCE is the address of the repository, which the
# image and the packages for npm name.
SOURCE = https://dumb-init.invalid
oci: release-build
	@packaging/oci $(VERSION) $(REVISION) $(SOURCE) "$$(packaging/epoch)" $(DIST) \
		$(RELEASE)

npm: release-build
	@packaging/npm $(VERSION) $(SOURCE) $(DIST) $(RELEASE)

sums:
	@cd $(DIST) && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\0' | \
		LC_ALL=C sort -z | xargs -0 sha256sum >SHA256SUMS

.PHONY: dist wheel builddeb builddeb-docker buildrpm apkbuild release-build \
	release oci npm sums
