"""Redis, MariaDB, PostgreSQL and RabbitMQ."""

import re
import signal

import pytest

PSQL = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
        "psql", "-c"]


def redis(container, *words):
    return container.run_client("redis-cli", *words)[1].strip()


def test_redis_saves_its_data(container):
    container.add("/etc/redis.conf", "dir /shared\n")
    container.start_service("Redis", ["redis-server"], ["redis-server", "/etc/redis.conf"])
    container.wait_until(lambda: redis(container, "set", "key", "value") == "OK",
                         "an answer of Redis")
    container.stop()
    assert container.status() == 0
    assert (container.shared / "dump.rdb").exists()


def mariadb(container, *words):
    return container.run_client("mariadb", "--protocol=socket", *words)


def wait_for_mariadb(container):
    container.wait_until(lambda: mariadb(container, "-e", "select 1")[0] == 0,
                         "an answer of MariaDB")


def test_mariadb_shuts_down(container):
    container.add_directory("/run/mysqld", "mysql")
    container.start_service("MariaDB")
    wait_for_mariadb(container)
    container.stop()
    assert container.status() == 0
    assert "Shutdown complete" in container.said()


def test_mysqld_safe_shuts_down_in_session_mode(container):
    container.start_service("MariaDB", ["mariadbd", "--user=mysql"], ["mysqld_safe"])
    wait_for_mariadb(container)
    container.stop()
    assert container.status() == 0


def test_mysqld_safe_ignores_sigterm_in_single_child_mode(container):
    container.start_service("MariaDB", ["--", "mariadbd", "--user=mysql"],
                            ["--verbose", "--single-child", "--", "mysqld_safe"])
    wait_for_mariadb(container)
    container.stop()
    container.expect("SIGTERM")
    for _ in range(3):
        assert mariadb(container, "-e", "select 1")[0] == 0


def start_postgres(container, options=()):
    """Starts it, and a client that stays. Returns the client."""
    container.add_directory("/run/postgresql", "postgres")
    container.start_service("PostgreSQL", ["--"], [*options, "--"],
                            ["postgres", "postgres"],
                            ["postgres", "/usr/lib/postgresql/15/bin/postgres"])
    container.expect("ready to accept connections")
    client = container.client(*PSQL, "select pg_sleep(1000000)")
    container.wait_until(
        lambda: "pg_sleep" in postgres(container, "select query from pg_stat_activity"),
        "a client of PostgreSQL")
    return client


def postgres(container, query):
    return container.run_client(*PSQL, query)[1]


@pytest.mark.parametrize("options, signum", [
    ([], signal.SIGINT), (["--rewrite", "TERM:INT"], signal.SIGTERM)])
def test_postgres_shuts_down_fast(container, options, signum):
    client = start_postgres(container, options)
    assert container.stop_signal == signal.SIGINT
    container.kill(signum)
    container.expect("received fast shutdown request")
    assert container.status() == 0
    assert "database system is shut down" in container.said()
    assert "terminating connection" in client.communicate()[0]


def test_postgres_waits_for_its_clients_on_sigterm(container):
    client = start_postgres(container)
    container.kill(signal.SIGTERM)
    container.expect("received smart shutdown request")
    container.wait_until(lambda: "shutting down" in postgres(container, "select 1"),
                         "a refusal of new clients")
    assert client.poll() is None
    assert container.pids("postgres")


def start_rabbitmq(container, words, options=()):
    container.add("/etc/hosts", "127.0.0.1 localhost container\n")
    container.add("/etc/rabbitmq/rabbitmq.conf",
                  "log.console = true\nlog.console.level = info\n")
    container.start_service(
        "RabbitMQ", ["--", "gosu", "rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server"],
        [*options, "--", *words])
    container.expect("Server startup complete")


STOPPED = re.compile("Message store for directory .* is stopped")


def test_rabbitmq_closes_its_stores(container):
    start_rabbitmq(container, ["gosu", "rabbitmq",
                               "/usr/lib/rabbitmq/bin/rabbitmq-server"])
    container.stop()
    assert container.status() == 0
    assert len(STOPPED.findall(container.said())) == 2


# su has died of SIGTERM.
@pytest.mark.parametrize("options, stores", [(["--grace", "1h"], 2), ([], 0)])
def test_rabbitmq_of_debians_script_closes_its_stores_with_grace(
        container, options, stores):
    start_rabbitmq(container, ["rabbitmq-server"], options)
    container.stop()
    assert container.status() == 128 + signal.SIGTERM
    assert len(STOPPED.findall(container.said())) == stores
