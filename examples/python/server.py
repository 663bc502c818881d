"""An HTTP server that queues jobs, POST /NAME, and two processes to do them."""

import http.server
import multiprocessing
import signal
import sys
import time


def work(jobs):
    """Does jobs until SIGTERM. dumb-init forwards that to the whole process
    group, so the workers get it without the server's help."""
    while True:
        job = jobs.get()  # here SIGTERM kills the worker
        # In a job it waits until the end of the job.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        print(f"{job}: begun")
        time.sleep(1)  # stands for the work
        print(f"{job}: done")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.jobs.put(self.path.lstrip("/"))
        self.send_response(202)
        self.end_headers()


def main():
    processes = multiprocessing.get_context("fork")
    jobs = processes.Queue()
    for _ in range(2):
        processes.Process(target=work, args=[jobs]).start()
    # After the fork: the workers would inherit the handler. Python waits for its
    # processes when it exits.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with http.server.ThreadingHTTPServer(("", 8080), Handler) as server:
        server.jobs = jobs
        print("listening")
        server.serve_forever()


if __name__ == "__main__":
    main()
