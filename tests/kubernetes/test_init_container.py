"""dumb-init from an init container, for an image that has none."""

from conftest import INIT, SERVER, container, document

VOLUME = {"volumeMounts": [{"name": "programs", "mountPath": "/programs"}]}


def test_dumb_init_from_an_init_container_is_pid_1_of_another_image(create):
    copy = container(["cp", INIT, "/programs"], name="copy", **VOLUME)
    server = container(["/programs/dumb-init", "-w", "sh", "-c", SERVER], options=None,
                       image="localhost/plain:1", **VOLUME)
    pod = create(document(server, initContainers=[copy],
                          volumes=[{"name": "programs", "emptyDir": {}}]))
    pod.line("^ready$")
    assert pod.terminated("copy")["exitCode"] == 0
    assert pod.exec("ls", INIT, check=False).returncode != 0
    assert pod.exec("readlink", "/proc/1/exe").stdout == "/programs/dumb-init\n"
    pod.exec("sh", "-c", "sleep 0.1 &")
    pod.line("reaped orphan")
    assert pod.stop() == 6
