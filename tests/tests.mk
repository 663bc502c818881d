# make test-unit       the unit tests of each module
# make test-clang      the build of clang, as make test does those of gcc and musl-gcc
# make test-behaviour  the program from outside; PYTEST_ARGS='-k orphan' chooses
# make test-packages   Debian, rpm, Alpine, npm and release files, the image
# make test-engines    Docker, Podman, containerd and runc, as root; SUITE=testing: those
#                      of that Debian; KERNEL=6.12 as well: in qemu, with cgroup v2
# make test-services   docs/cookbook.md, with the real services, as root
# make test-debians    make demo and make test on bare Debian systems, as root
# make test-kernels    claims on Debian's kernels in qemu, as root; KERNELS="6.1 newest"
# make test-kernels-behaviour  the behaviour tests on these kernels, as root
# make test-kubernetes Pods of a real kubelet, as root; builds Kubernetes first
# make test-busy       make test RUNS=10 times beside stress-ng; STRESS= without it

# The two static builds, whatever CC is, and the helpers of the tests.
GLIBC = $(MAKE) BUILD=$(BUILD)/glibc CC=gcc
MUSL = $(MAKE) BUILD=$(BUILD)/musl CC=musl-gcc
BOTH = glibc=$(BUILD)/glibc/dumb-init musl=$(BUILD)/musl/dumb-init

# Debian's packages.
COMPILERS = gcc libc6-dev musl-tools
PYTEST = python3-pytest python3-pytest-timeout python3-pytest-xdist \
	python3-psutil python3-pexpect
BEHAVIOUR_NEEDS = $(PYTEST) strace procps tini catatonit
TEST_NEEDS = $(COMPILERS) libcmocka-dev $(BEHAVIOUR_NEEDS)
# A package of its own after Debian 13; until then a part of tini.
TINI_STATIC = test -e /usr/bin/tini-static || tools/need tini-static

test:
	@tools/need $(TEST_NEEDS) $(QUICK_NEEDS)
	@$(TINI_STATIC)
	@$(GLIBC) -s -j2 $(BUILD)/glibc/dumb-init units helpers
	@$(MUSL) -s -j2
	@$(GLIBC) -s test-unit
	@$(GLIBC) -s test-behaviour INITS="$(BOTH)"
	@$(PACKAGE_TESTS) $(QUICK_TESTS)

# With any warning as an error.
CLANG = $(MAKE) BUILD=$(BUILD)/clang CC=clang WERROR=-Werror
test-clang:
	@tools/need clang $(TEST_NEEDS)
	@$(TINI_STATIC)
	@$(CLANG) -s
	@$(CLANG) -s test-unit
	@$(CLANG) -s test-behaviour INITS=clang=$(BUILD)/clang/dumb-init

# While you work: without the slow tests and the measurements.
test-quick:
	@tools/need $(TEST_NEEDS)
	@$(TINI_STATIC)
	@$(MUSL) -s
	@$(GLIBC) -s test-unit SLOW_UNITS=test_lifecycle_paths
	@$(GLIBC) -s test-behaviour INITS=musl=$(BUILD)/musl/dumb-init \
		PYTEST_ARGS="-m 'not slow and not cost' $(PYTEST_ARGS)"

# All except SLOW_UNITS.
UNITS = $(filter-out $(SLOW_UNITS:%=$(BUILD)/unit/%),$(patsubst \
	tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c)))
units: $(UNITS)
test-unit:
	@$(MAKE) -j2 --output-sync $(UNITS:=.passed)
$(BUILD)/unit/%.passed: $(BUILD)/unit/%
	@echo "== $<"; $<

# Linked with all modules but main, and but the one whose source the test includes.
INCLUDING = execute processes spawn supervise terminal
$(BUILD)/unit/%: tests/unit/%.c $(filter-out %/main.o,$(OBJECTS)) \
		tests/unit/session.h
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -Isrc -o $@ \
		$(filter-out %.h $(addprefix $(BUILD)/,$(addsuffix .o,\
			$(filter $(*:test_%=%),$(INCLUDING)))),$^) \
		$(if $(NO_PIE),-no-pie) $(filter-out -static -s,$(LDFLAGS)) -lcmocka

# Programs that the tests start.
HELPERS = $(patsubst tests/support/helpers/%.c,$(BUILD)/helpers/%,\
	$(wildcard tests/support/helpers/*.c))
helpers: $(HELPERS)

$(BUILD)/helpers/%: tests/support/helpers/%.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -O1 -static -o $@ $<

# NAME=PATH for each init that the contract is checked for.
INITS = build=$(BUILD)/dumb-init
PYTEST_ARGS =
test-behaviour: helpers $(BUILD)/dumb-init
	tests/behaviour/run $(INITS:%=--init=%) --helpers=$(BUILD)/helpers \
		$(PYTEST_ARGS)

# Of the files that packaging/packaging.mk makes. The quick ones are in make test.
PACKAGE_TESTS = tests/packages/run --init=$(BUILD)/musl/dumb-init $(PYTEST_ARGS)
QUICK_TESTS = $(patsubst %,tests/packages/test_%.py,\
	version readme audit messages dist completions python)
QUICK_NEEDS = $(WHEEL_BUILD) python3-pip bash-completion zsh fish binutils \
	util-linux
# With Node.js, from Debian or another source.
NPM = command -v npm >/dev/null || tools/need npm
OCI_NEEDS = docker-registry golang-github-opencontainers-image-spec-dev \
	python3-jsonschema skopeo
test-packages:
	@tools/need $(TEST_NEEDS) $(DEBIAN_BUILD) $(RPM_BUILD) $(RELEASE_NEEDS) \
		$(OCI_NEEDS) autopkgtest binutils busybox-static cpio lintian \
		mmdebstrap podman python3-yaml qemu-user-static runc shellcheck \
		yamllint
	@$(NPM)
	@$(MUSL) -s
	@$(PACKAGE_TESTS) \
		$(filter-out $(QUICK_TESTS),$(wildcard tests/packages/test_*.py))

# The musl build, as PID 1 of real containers. Engines that already run on this
# machine are neither used nor touched.
ENGINE_NEEDS = $(PYTEST) podman catatonit runc docker.io containerd busybox-static \
	bash-static iproute2 nodejs docker-compose python3-kubernetes \
	python3-botocore python3-yaml skopeo
SUITE_NEEDS = mmdebstrap util-linux $(if $(KERNEL),qemu-system-x86 e2fsprogs)
test-engines:
	@tools/need $(COMPILERS) $(if $(SUITE),$(SUITE_NEEDS),$(ENGINE_NEEDS))
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@$(if $(SUITE),tests/engines/suite $(BUILD)/engines $(SUITE) "$(KERNEL)" \
		"$(MIRROR)" $(BUILD)/musl/dumb-init $(BUILD)/glibc/helpers \
		"$(PYTEST_ARGS)",\
		tests/engines/run $(BUILD)/musl/dumb-init $(BUILD)/glibc/helpers \
		$(PYTEST_ARGS))

# The options of docs/cookbook.md, with the services of Debian.
test-services:
	@tools/need $(COMPILERS) $(PYTEST) mmdebstrap util-linux
	@$(MUSL) -s
	@tests/services/run $(BUILD)/services $(BUILD)/musl/dumb-init $(PYTEST_ARGS)

# Each from nothing but make, as root and as an ordinary user, with git and without.
# With QUICK=1 only the first of these runs has all tests.
SUITES = bookworm trixie testing
test-debians:
	@tools/need git mmdebstrap util-linux
	@tests/debians/run $(BUILD)/debians $(VERSION) \
		$(if $(QUICK),test-quick,test) $(SUITES)

# Claims, checked on Debian's cloud kernels in qemu; CLAIMS=memory checks a part. MIRROR
# is an archive of Debian, by default that of the machine. PAGE=docs/reliability.md
# writes the results there.
KERNELS = 4.19 5.10 6.1 6.12 newest 6.12-aarch64
KERNEL_NEEDS = $(COMPILERS) cpio util-linux qemu-system-x86 xz-utils
AARCH64 = $(filter %-aarch64,$(KERNELS))
AARCH64_NEEDS = qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3
IN_KERNELS = $(MAKE) -s BUILD=$(BUILD)/kernels/$(1) CC=$(2) LDFLAGS= \
	$(BUILD)/kernels/$(1)/dumb-init helpers
test-kernels:
	@tools/need $(KERNEL_NEEDS) $(if $(AARCH64),$(AARCH64_NEEDS))
	@$(MUSL) -s
	@$(call IN_KERNELS,x86_64,gcc)
	@$(if $(AARCH64),$(call IN_KERNELS,aarch64,aarch64-linux-gnu-gcc))
	@$(if $(AARCH64),packaging/release-build $(VERSION) $(BUILD) \
		$(BUILD)/kernels/release aarch64)
	@tests/kernels/run $(BUILD)/kernels "$(MIRROR)" $(INIT) \
		$(BUILD)/release/aarch64/dumb-init "$(CLAIMS)" $(KERNELS)
	@$(call WRITE,kernels,$(BUILD)/kernels/page.md)
test-kernels: INIT = $(BUILD)/musl/dumb-init

# With a root file system of Debian.
test-kernels-behaviour:
	@tools/need $(KERNEL_NEEDS) mmdebstrap e2fsprogs
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@tests/kernels/behaviour $(BUILD)/kernels "$(MIRROR)" $(INIT) \
		$(BUILD)/glibc/helpers "$(PYTEST_ARGS)" $(KERNELS)
	@$(call WRITE,kernels-behaviour,$(BUILD)/kernels/behaviour.md)
test-kernels-behaviour: INIT = $(BUILD)/musl/dumb-init
test-kernels-behaviour: KERNELS = 6.1 newest

# Debian 12's Kubernetes, which it does not package except kubectl. Built once.
KUBERNETES_NEEDS = $(PYTEST) containerd runc containernetworking-plugins \
	busybox-static iproute2 openssl python3-yaml
test-kubernetes:
	@tools/need $(COMPILERS) $(KUBERNETES_NEEDS)
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@tests/kubernetes/build $(BUILD)/kubernetes "$(MIRROR)"
	@tests/kubernetes/run $(BUILD)/kubernetes $(INIT) $(BUILD)/glibc/helpers \
		$(PYTEST_ARGS)
	@$(call WRITE,kubernetes,$(BUILD)/kubernetes/page.md)
test-kubernetes: INIT = $(BUILD)/musl/dumb-init

RUNS = 10
STRESS = --cpu 8 --vm 2 --fork 4
test-busy:
	@$(if $(STRESS),tools/need stress-ng util-linux)
	@tests/campaigns/busy $(BUILD)/busy $(RUNS) $(STRESS)

.PHONY: test test-clang test-quick units test-unit helpers test-behaviour \
	test-packages test-services test-engines test-debians test-kernels \
	test-kernels-behaviour test-kubernetes test-busy
