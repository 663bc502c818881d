"""The Pods of examples/kubernetes, unchanged except for the node and the images, which
are substitutes and here already."""

import pathlib
import signal
import uuid

import yaml

from conftest import INIT, NODE

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples/kubernetes"
POST = """if True:
    import urllib.request
    urllib.request.urlopen("http://127.0.0.1:8080/sort", b"", timeout=60)
"""


def example(name):
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    document["metadata"]["name"] += f"-{uuid.uuid4().hex[:12]}"
    document["spec"]["nodeName"] = NODE
    for container in document["spec"]["containers"]:
        container["imagePullPolicy"] = "Never"
    return document


def collector(create, name):
    """Starts a Pod and waits until the helpers of its container collect run."""
    pod = create(example(name))
    pod.line("^load: started$", "collect")
    pod.line("^memory: started$", "collect")
    return pod


def assert_complete(pod):
    """The helpers have cleaned up."""
    pod.line("^load: complete$", "collect")
    pod.line("^memory: complete$", "collect")


def test_helpers_of_the_pod_clean_up(create):
    pod = collector(create, "grace")
    assert pod.stop("collect") == 0
    assert_complete(pod)


def test_pod_names_the_signal_that_killed_it(create):
    pod = collector(create, "grace")
    [command] = pod.init("collect").children()
    command.send_signal(signal.SIGSEGV)
    end = pod.restarted("collect")
    assert end["exitCode"] == 128 + signal.SIGSEGV
    assert "killed by SIGSEGV" in end["message"]
    assert_complete(pod)


def test_containers_that_share_processes_exit_by_themselves(create):
    pod = collector(create, "shared-pids")
    pod.line("^listening$", "serve")
    assert pod.pause("collect").cmdline() == [INIT, "--pause"]
    pod.init("collect").terminate()
    assert pod.restarted("collect")["exitCode"] == 0
    assert_complete(pod)
    # The other container received no signal.
    pod.exec("python3", "-c", POST, container="serve")
    pod.line("^sort: done$", "serve")
    assert pod.container("serve")["restartCount"] == 0
    assert pod.stop("serve") == 0
