"""gunicorn, uWSGI and Celery."""

import signal

import pytest

SLOW = """
import os, time
def slow():
    open("/shared/begun", "w").close()
    while not os.path.exists("/shared/go"):
        time.sleep(0.02)
    open("/shared/complete", "w").close()
    return "complete"
"""
# A worker that has no handler of its own yet would lose a signal.
WSGI = SLOW + """
open(f"/shared/worker-{os.getpid()}", "w").close()
def app(environ, start_response):
    body = slow() if environ["PATH_INFO"] == "/slow" else "quick"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body.encode()]
application = app
"""
CELERY = SLOW + """
import celery, pathlib
for name in "in", "processed":
    pathlib.Path("/tmp/" + name).mkdir(exist_ok=True)
app = celery.Celery("app", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "/tmp/in", "data_folder_out": "/tmp/in",
    "data_folder_processed": "/tmp/processed"}
job = app.task(name="slow")(slow)
"""
UWSGI = """[uwsgi]
plugin = python3
http-socket = 127.0.0.1:8000
wsgi-file = /app/app.py
master = true
processes = 2
"""
GRACEFUL = "hook-master-start = unix_signal:15 gracefully_kill_them_all\n"
ADDRESS = "127.0.0.1:8000"
QUICK = f"http://{ADDRESS}/quick"


def complete(container, request):
    container.go()
    return request.communicate()[0] == "complete"


@pytest.fixture
def gunicorn(container):
    container.add("/app/app.py", WSGI)
    return container


def wait_for_workers(container, number):
    """Waits until so many workers in all have loaded the application."""
    container.wait_until(
        lambda: len(list(container.shared.glob("worker-*"))) == number,
        f"{number} workers")


def start_gunicorn(container, options=("--single-child",), words=()):
    container.start_service("gunicorn", ["--single-child", "--", "gunicorn"],
                            [*options, "--", "gunicorn", "--chdir", "/app",
                             "--workers", "2", "--timeout", "3600",
                             "--graceful-timeout", "3600", *words])
    wait_for_workers(container, 2)
    return container.slow_request(ADDRESS)


def test_gunicorn_finishes_its_requests(gunicorn):
    request = start_gunicorn(gunicorn)
    gunicorn.stop()
    gunicorn.wait_until(lambda: len(gunicorn.pids("gunicorn")) == 2,
                        "the exit of the idle worker")
    assert complete(gunicorn, request)
    assert gunicorn.status() == 0


def test_gunicorn_reloads_on_sighup(gunicorn):
    request = start_gunicorn(gunicorn)
    gunicorn.kill(signal.SIGHUP)
    gunicorn.expect("Hang up")
    assert gunicorn.answers(QUICK) == "quick"
    assert complete(gunicorn, request)


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGUSR2])
def test_gunicorn_drops_requests_in_session_mode(gunicorn, signum):
    request = start_gunicorn(gunicorn, options=[])
    gunicorn.kill(signum)
    assert "Empty reply" in request.communicate()[0]


def test_number_of_gunicorns_workers_changes_with_sigttin_and_sigttou(gunicorn):
    complete(gunicorn, start_gunicorn(gunicorn))
    for signum, processes in ((signal.SIGTTIN, 4), (signal.SIGTTOU, 3)):
        gunicorn.kill(signum)
        gunicorn.wait_until(lambda: len(gunicorn.pids("gunicorn")) == processes,
                            f"{processes} processes")


def upgrade_gunicorn(gunicorn, options):
    """Starts a new master beside the old one, which then gets the stop signal."""
    request = start_gunicorn(gunicorn, options, ["--pid", "/run/gunicorn.pid"])
    gunicorn.kill(signal.SIGUSR2)
    gunicorn.wait_until(lambda: gunicorn.said().count("Listening at") == 2,
                        "a second master")
    # The new one is started as `python3 gunicorn`.
    gunicorn.wait_until(lambda: len(gunicorn.pids("python3")) == 3,
                        "the new master and its workers")
    return request


def test_gunicorn_is_upgraded_with_wait_all(gunicorn):
    request = upgrade_gunicorn(gunicorn, ["--single-child", "--wait-all"])
    gunicorn.exec("kill", gunicorn.exec("cat", "/run/gunicorn.pid").strip())
    assert complete(gunicorn, request)
    gunicorn.wait_until(lambda: not gunicorn.pids("gunicorn"),
                        "the exit of the old master")
    assert gunicorn.answers(QUICK) == "quick"
    gunicorn.stop()
    assert gunicorn.status() == 0


def test_gunicorns_upgrade_ends_the_container_without_wait_all(gunicorn):
    request = upgrade_gunicorn(gunicorn, ["--single-child"])
    gunicorn.exec("kill", gunicorn.exec("cat", "/run/gunicorn.pid").strip())
    assert complete(gunicorn, request)
    assert gunicorn.status() == 0


def start_uwsgi(container, hook, options=("--single-child",)):
    container.add("/app/app.py", WSGI)
    container.add("/etc/uwsgi.ini", UWSGI + hook)
    container.start_service("uWSGI", ["--single-child"], options)
    return container.slow_request(ADDRESS)


def test_uwsgi_finishes_its_requests_with_the_hook(container):
    request = start_uwsgi(container, GRACEFUL)
    container.stop()
    container.expect("graceful shutdown triggered")
    assert complete(container, request)
    assert container.status() == 0


def test_uwsgi_drops_its_requests_in_session_mode(container):
    """Sometimes the worker hangs then, and uWSGI kills it after 60 seconds."""
    request = start_uwsgi(container, GRACEFUL, options=[])
    container.stop()
    assert "Empty reply" in request.communicate()[0]


def test_uwsgi_reloads_on_sigterm_without_the_hook(container):
    request = start_uwsgi(container, "")
    container.stop()
    assert "Empty reply" in request.communicate()[0]
    assert container.answers(QUICK) == "quick"


def start_celery(container, options, environment=()):
    container.add("/app/app.py", CELERY)
    container.start_service("Celery", ["dumb-init", "--single-child", "--", "celery"],
                            [*environment, "dumb-init", *options, "--",
                             "celery", "--workdir", "/app"])
    container.exec("celery", "--workdir", "/app", "-A", "app", "call", "slow")
    container.begun()


@pytest.mark.parametrize("mode", ["option", "variable"])
def test_celery_finishes_its_task(container, mode):
    if mode == "option":
        start_celery(container, ["--single-child"])
    else:
        start_celery(container, [], ["env", "DUMB_INIT_SETSID=0"])
    container.stop()
    container.expect("Warm shutdown")
    container.go()
    assert container.status() == 0
    assert container.complete()


def test_celery_loses_its_task_in_session_mode(container):
    start_celery(container, [])
    container.stop()
    container.expect("exited with 'signal 15 (SIGTERM)'")
    assert not container.complete()
