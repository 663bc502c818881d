"""What the tests of packages are given."""


def pytest_addoption(parser):
    parser.addoption("--init", default="build/dumb-init", metavar="PATH",
                     help="a dumb-init that was built; relative to the source")
