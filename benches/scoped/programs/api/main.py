"""Asks a Flask application 400 times, after 27 requests of warm-up.

main.py FILE  writes the seconds and the processor's seconds that the 400 took to FILE.
"""

import sys
import time

from app import app


def ask(client, times):
    for number in range(times):
        client.get(f"/users/{number % 60}")  # there are 50: some are not found
        if number % 3 == 0:
            client.get(f"/users?page={number % 5}")


client = app.test_client()
ask(client, 20)
start = time.perf_counter(), time.process_time()
ask(client, 300)
end = time.perf_counter(), time.process_time()
with open(sys.argv[1], "w") as file:
    print(end[0] - start[0], end[1] - start[1], file=file)
