"""nginx, Apache, PHP-FPM and HAProxy."""

import os
import signal
import termios

import pytest

# Of the proxies: requests for /slow wait in the backend.
NGINX = """server {
    listen 127.0.0.1:80;
    location / { proxy_pass http://unix:/shared/backend; }
}
"""
APACHE = """ProxyPass / unix:/shared/backend|http://backend/
ServerName localhost
PidFile /run/apache2.pid
"""
HAPROXY = """defaults
    mode http
    timeout client 1h
    timeout connect 1h
    timeout server 1h
frontend http
    bind 127.0.0.1:80
    default_backend backend
backend backend
    server backend unix@/shared/backend
"""
APACHE_WORDS = ["sh", "-c", ". /etc/apache2/envvars; exec apache2 -D FOREGROUND"]
ADDRESS = "127.0.0.1"
QUICK = f"http://{ADDRESS}/quick"


@pytest.fixture
def nginx(container, backend):
    container.add("/etc/nginx/sites-enabled/default", NGINX)
    return container


@pytest.fixture
def apache(container, backend):
    container.add("/etc/apache2/sites-enabled/000-default.conf", APACHE)
    container.add("/etc/apache2/mods-enabled/proxy.load",
                  "LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so\n"
                  "LoadModule proxy_http_module /usr/lib/apache2/modules/"
                  "mod_proxy_http.so\n")
    container.add("/run/apache2/x", "")
    return container


@pytest.fixture
def haproxy(container, backend):
    container.add("/etc/haproxy/haproxy.cfg", HAPROXY)
    return container


def expect_complete(container, request, port=80):
    """The request that began before the stop is complete, and the status is 0."""
    container.refuses(port)
    container.go()
    assert request.communicate()[0].endswith("complete")
    assert container.status() == 0


def expect_dropped(request):
    """The request fails while its backend still waits."""
    output, _ = request.communicate()
    assert "complete" not in output, output


@pytest.mark.parametrize("options, signum", [
    (["--rewrite", "TERM:QUIT"], signal.SIGTERM), ([], signal.SIGQUIT),
    (["--single-child", "--rewrite", "TERM:QUIT"], signal.SIGTERM)])
def test_nginx_finishes_its_requests(nginx, options, signum):
    nginx.start_service("nginx", ["--rewrite", "TERM:QUIT"], options)
    request = nginx.slow_request(ADDRESS)
    nginx.kill(signum)
    expect_complete(nginx, request)


def test_nginx_drops_its_requests_on_sigterm(nginx):
    nginx.start_service("nginx", ["--rewrite", "TERM:QUIT"], [])
    request = nginx.slow_request(ADDRESS)
    nginx.stop()
    expect_dropped(request)
    assert nginx.status() == 0


def test_nginx_reloads_on_sighup(nginx):
    nginx.start_service("nginx")
    request = nginx.slow_request(ADDRESS)
    workers = set(nginx.pids("nginx")[1:])
    nginx.kill(signal.SIGHUP)
    nginx.wait_until(lambda: set(nginx.pids("nginx")[1:]) - workers, "a new worker")
    nginx.go()
    assert request.communicate()[0].endswith("complete")
    nginx.stop()
    assert nginx.status() == 0


def test_nginx_reopens_its_logs_on_sigusr1(nginx):
    nginx.start_service("nginx")
    assert nginx.answers(QUICK) == "complete"
    log = "/var/log/nginx/access.log"
    nginx.exec("mv", log, log + ".1")
    nginx.kill(signal.SIGUSR1)
    nginx.wait_until(lambda: nginx.exec("find", log, check=False) == log + "\n",
                     "a new log")


def test_apache_finishes_its_requests_on_sigwinch(apache):
    apache.start_service("Apache")
    request = apache.slow_request(ADDRESS)
    apache.stop()
    expect_complete(apache, request)


def test_apache_finishes_its_requests_on_a_rewritten_sigterm(apache):
    apache.start_service("Apache", ["--"],
                         ["--rewrite", "WINCH:0", "--rewrite", "TERM:WINCH", "--"])
    request = apache.slow_request(ADDRESS)
    apache.kill(signal.SIGWINCH)
    assert apache.answers(QUICK) == "complete"
    apache.kill(signal.SIGTERM)
    expect_complete(apache, request)


def test_apache_drops_its_requests_on_sigterm(apache):
    apache.start_service("Apache")
    request = apache.slow_request(ADDRESS)
    apache.kill(signal.SIGTERM)
    expect_dropped(request)


def test_apachectl_dies_of_sigterm_before_the_server(apache):
    apache.start_service("Apache", APACHE_WORDS, ["apachectl", "-D", "FOREGROUND"])
    request = apache.slow_request(ADDRESS)
    apache.kill(signal.SIGTERM)
    expect_dropped(request)
    assert apache.status() == 128 + signal.SIGTERM


def resize(apache, options, words=()):
    """Changes the size of Apache's terminal while a request waits."""
    terminal, slave = os.openpty()
    apache.start("setsid", "--ctty", "dumb-init", *options, "--", *words, *APACHE_WORDS,
                 terminal=slave)
    os.close(slave)
    request = apache.slow_request(ADDRESS)
    termios.tcsetwinsize(terminal, (30, 90))
    return request, terminal


@pytest.mark.parametrize("options, words", [
    ([], []), (["--rewrite", "WINCH:0"], []), (["--process-group"], []),
    (["--single-child"], []), (["--single-child"], ["setsid", "-w"])])
def test_resized_window_stops_apache(apache, options, words):
    request, terminal = resize(apache, options, words)
    expect_complete(apache, request)
    os.close(terminal)


@pytest.mark.parametrize("options", [[], ["--process-group"],
                                     ["--single-child", "--rewrite", "WINCH:0"]])
def test_resized_window_does_not_stop_apache_in_its_own_session(apache, options):
    _, terminal = resize(apache, options, ["setsid", "-w"])
    for _ in range(3):
        assert apache.answers(QUICK) == "complete"
    os.close(terminal)


PHP = """<?php
touch("/shared/begun");
while (!file_exists("/shared/go")) { clearstatcache(); usleep(20000); }
echo "complete";
"""
SOCKET = "/run/php/php8.2-fpm.sock"


@pytest.fixture
def fpm(container):
    container.add("/app/slow.php", PHP)
    container.add("/app/quick.php", "complete")
    container.add("/run/php/x", "")
    container.add("/etc/php/8.2/fpm/pool.d/zz.conf",
                  "[global]\nerror_log = /proc/self/fd/2\n"
                  "process_control_timeout = 1h\n")
    return container


def php(container, script):
    return container.client("env", f"SCRIPT_FILENAME=/app/{script}.php",
                            "REQUEST_METHOD=GET", "cgi-fcgi", "-bind", "-connect",
                            SOCKET)


def slow_php(container):
    container.wait_until(lambda: "complete" in php(container, "quick").communicate()[0],
                         "an answer of PHP")
    request = php(container, "slow")
    container.begun()
    return request


def test_php_fpm_finishes_its_requests(fpm):
    fpm.start_service("PHP-FPM")
    request = slow_php(fpm)
    fpm.stop()
    fpm.expect("Finishing ...")
    fpm.go()
    assert request.communicate()[0].endswith("complete")
    assert fpm.status() == 0


def test_php_fpm_reloads_on_sigusr2(fpm):
    fpm.start_service("PHP-FPM")
    request = slow_php(fpm)
    fpm.kill(signal.SIGUSR2)
    fpm.expect("Reloading in progress")
    fpm.go()
    assert request.communicate()[0].endswith("complete")


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGUSR2])
def test_php_fpm_drops_its_requests_in_session_mode(fpm, signum):
    fpm.start_service("PHP-FPM", ["--single-child"], [])
    request = slow_php(fpm)
    fpm.kill(signum)
    expect_dropped(request)


def test_haproxy_finishes_its_requests(haproxy):
    haproxy.start_service("HAProxy")
    request = haproxy.slow_request(ADDRESS)
    haproxy.stop()
    expect_complete(haproxy, request)


def test_haproxy_drops_its_requests_on_sigterm(haproxy):
    haproxy.start_service("HAProxy")
    request = haproxy.slow_request(ADDRESS)
    haproxy.kill(signal.SIGTERM)
    expect_dropped(request)


def test_haproxy_reloads_on_sigusr2(haproxy):
    haproxy.start_service("HAProxy")
    request = haproxy.slow_request(ADDRESS)
    worker = haproxy.pids("haproxy")[-1]
    haproxy.kill(signal.SIGUSR2)
    haproxy.wait_until(lambda: haproxy.pids("haproxy")[-1] > worker, "a new worker")
    haproxy.go()
    assert request.communicate()[0].endswith("complete")
    assert haproxy.answers(QUICK) == "complete"
