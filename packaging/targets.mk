# What goes to other people's machines, left in $(DIST). docs/releasing.md says
# in what order.
DIST = dist

# The source, as it is committed.
dist:
	@packaging/dist $(VERSION) $(DIST)

# For pip: the program, static unless CC and LDFLAGS say otherwise, and its source.
wheel:
	@tools/need gcc libc6-dev musl-tools $(WHEEL_NEEDS)
	@packaging/wheel $(VERSION) $(DIST)

WHEEL_NEEDS = python3-build python3-setuptools python3-wheel

# What is made here is tried. Some of that is quick, and part of make test.
PACKAGE_TESTS = tests/run-packages --init $(BUILD)/musl/dumb-init $(PYTEST_ARGS)
QUICK_TESTS = $(patsubst %,tests/packages/test_%.py,\
	version dist completions python)
QUICK_NEEDS = $(WHEEL_NEEDS) python3-pip bash-completion zsh fish binutils \
	util-linux

test-packages:
	@tools/need gcc libc6-dev musl-tools python3-pytest \
		python3-pytest-timeout python3-pytest-xdist
	@$(MUSL) -s
	@$(PACKAGE_TESTS) \
		$(filter-out $(QUICK_TESTS),$(wildcard tests/packages/test_*.py))

.PHONY: dist wheel test-packages
