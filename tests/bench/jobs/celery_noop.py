"""No-op tasks through Celery on Redis. As a worker's module it has the task; run with argv: tasks, it sends and gathers."""
import json
import os
import sys
import time

from celery import Celery, group

redis = "redis://127.0.0.1:%s/0" % os.environ["BENCH_REDIS"]
app = Celery("celery_noop", broker=redis, backend=redis)
app.conf.update(
    worker_prefetch_multiplier=100,
    task_acks_late=True,
    task_ignore_result=False,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="celery_noop.noop")
def noop(_):
    return None


def through(n):
    at = time.perf_counter()
    for first in range(0, n, 1000):
        group(noop.s(i) for i in range(first, min(n, first + 1000))).apply_async()
    # Every result is a key of its own: counted until all are there.
    client = app.backend.client
    while True:
        done = sum(
            1 for _ in client.scan_iter("celery-task-meta-*", count=10000)
        )
        if done >= n:
            break
        time.sleep(0.05)
    return time.perf_counter() - at


if __name__ == "__main__":
    print(json.dumps({"seconds": through(int(sys.argv[1]))}), flush=True)
