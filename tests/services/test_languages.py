"""Programs for Ruby, Java, Node.js and Go."""

import signal

import pytest

SIDEKIQ = """
require "sidekiq"
class Job
  include Sidekiq::Worker
  def perform
    File.write("/shared/begun", "")
    sleep 0.02 until File.exist?("/shared/go")
    File.write("/shared/complete", "")
  end
end
"""
JAVA = """
public class Server {
    public static void main(String[] args) throws Exception {
        Runtime.getRuntime().addShutdownHook(
            new Thread(() -> System.out.println("hook")));
        System.out.println("ready");
        Thread.sleep(Long.MAX_VALUE);
    }
}
"""
NODE = """
const fs = require("fs");
const server = require("http").createServer((request, response) => {
    if (request.url != "/slow") return response.end("quick");
    fs.writeFileSync("/shared/begun", "");
    const timer = setInterval(() => {
        if (!fs.existsSync("/shared/go")) return;
        clearInterval(timer);
        response.setHeader("Connection", "close");
        response.end("complete");
    }, 20);
});
process.on("SIGTERM", () => { console.log("stopping"); server.close(); });
server.listen(8000, "127.0.0.1");
"""
PACKAGE = """{"name": "app", "version": "1.0.0", "scripts": {"start": "%s"}}"""
GO = """
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	http.HandleFunc("/quick", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "quick")
	})
	http.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		os.WriteFile("/shared/begun", nil, 0644)
		for {
			if _, err := os.Stat("/shared/go"); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		fmt.Fprint(w, "complete")
	})
	server := http.Server{Addr: "127.0.0.1:8000"}
	go server.ListenAndServe()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	fmt.Println("stopping")
	server.Shutdown(context.Background())
}
"""
ADDRESS = "127.0.0.1:8000"


def expect_complete(container, request):
    container.expect("stopping")
    container.refuses(8000)
    container.go()
    assert request.communicate()[0] == "complete"
    assert container.said().count("stopping") == 1


def start_sidekiq(container, *words):
    container.add("/app/worker.rb", SIDEKIQ)
    # Sidekiq exits if it finds no Redis.
    container.add("/app/start", "#!/bin/sh\nredis-server --daemonize yes\n"
                  "until redis-cli ping; do sleep 0.05; done\nexec \"$@\"\n", 0o755)
    container.start_service("Sidekiq", ["sidekiq"], ["/app/start", "sidekiq", *words])
    container.expect("PONG")
    container.exec("ruby", "-r", "/app/worker.rb", "-e", "Job.perform_async")
    container.begun()


def test_sidekiq_finishes_its_job(container):
    start_sidekiq(container)
    container.kill(signal.SIGTSTP)
    container.expect("no longer accepting new work")
    container.go()
    container.wait_until(container.complete, "a complete job")
    container.stop()
    assert container.status() == 0


def test_sidekiq_finishes_its_job_on_sigterm(container):
    start_sidekiq(container, "--timeout", "3600")
    container.stop()
    container.expect("Shutting down")
    container.go()
    assert container.status() == 0
    assert container.complete()


@pytest.mark.parametrize("options, status", [([], 143), (["--map-exit", "143"], 0)])
def test_java_runs_its_shutdown_hooks(container, options, status):
    container.add("/app/Server.java", JAVA)
    container.start_service("Java", ["--"], [*options, "--"])
    container.expect("ready")
    container.stop()
    assert container.status() == status
    assert "hook" in container.said()


def test_java_prints_its_threads_on_sigquit(container):
    container.add("/app/Server.java", JAVA)
    container.start_service("Java")
    container.expect("ready")
    container.kill(signal.SIGQUIT)
    container.expect("Full thread dump")
    container.stop()
    assert container.status() == 143


def test_node_finishes_its_requests(container):
    container.add("/app/server.js", NODE)
    container.start_service("Node.js")
    request = container.slow_request(ADDRESS)
    container.stop()
    expect_complete(container, request)
    assert container.status() == 0


def start_npm(container, options, script="node server.js"):
    container.add("/app/server.js", NODE)
    container.add("/app/package.json", PACKAGE % script)
    container.start_service("npm start", ["--single-child", "--grace", "8", "--", "npm"],
                            [*options, "--", "npm", "--prefix", "/app"])
    return container.slow_request(ADDRESS)


@pytest.mark.parametrize("options", [["--single-child", "--grace", "1h"],
                                     ["--grace", "1h"]])
def test_server_of_npm_start_finishes_its_requests(container, options):
    request = start_npm(container, options)
    container.stop()
    expect_complete(container, request)
    container.status()


def test_server_of_npm_start_is_killed_without_grace(container):
    request = start_npm(container, [])
    container.stop()
    assert "Empty reply" in request.communicate()[0]
    assert container.status() == 128 + signal.SIGTERM


def test_server_of_npm_start_needs_no_grace_if_the_script_says_exec(container):
    request = start_npm(container, ["--single-child"], "exec node server.js")
    container.stop()
    expect_complete(container, request)
    container.status()


def start_go(container, options):
    container.add("/app/server.go", GO)
    container.start_service("go run", ["--single-child", "--grace", "8", "--"],
                            [*options, "--"])
    return container.slow_request(ADDRESS)


def test_server_of_go_run_finishes_its_requests(container):
    request = start_go(container, ["--single-child", "--grace", "1h"])
    container.stop()
    expect_complete(container, request)
    container.status()


def test_server_of_go_run_is_killed_without_grace(container):
    request = start_go(container, [])
    container.stop()
    assert "complete" not in request.communicate()[0]
    container.status()
