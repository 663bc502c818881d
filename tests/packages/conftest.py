"""Options of the tests of packages."""


def pytest_addoption(parser):
    parser.addoption("--init", default="build/dumb-init", metavar="PATH",
                     help="a dumb-init that was built; relative to the source")
