"""Options of the tests of packages."""


def pytest_addoption(parser):
    parser.addoption("--init", default="build/dumb-init", metavar="PATH",
                     help="the built dumb-init; relative to the source tree")
