"""No-op tasks through dask.distributed on this machine. argv: tasks, worker processes, threads of each."""
import json
import sys
import time

from distributed import Client, LocalCluster


def noop(_):
    return None


def through(client, n, offset):
    at = time.perf_counter()
    futures = client.map(noop, range(offset, offset + n), pure=False, batch_size=1000)
    client.gather(futures)
    return time.perf_counter() - at


if __name__ == "__main__":
    tasks, workers, threads = map(int, sys.argv[1:4])
    with LocalCluster(n_workers=workers, threads_per_worker=threads, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            through(client, max(100, tasks // 10), tasks)
            print(json.dumps({"seconds": through(client, tasks, 0)}), flush=True)
