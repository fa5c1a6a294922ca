"""Asks a Flask application 300 times, after 20 requests of warm-up.

main.py FILE  writes the seconds and the processor's seconds that the 300 took to FILE.
"""

import sys
import time

from app import app


def ask(client, times):
    for number in range(times):
        match number % 5:
            case 0:
                client.get(f"/?page={number % 6}")
            case 1:
                client.get(f"/books/{number % 30 + 1}")  # there are 24: some are not found
            case 2:
                client.get(f"/api/books/{number % 24 + 1}")
            case 3:
                client.post(f"/books/{number % 24 + 1}/borrow", data={"reader": "ada"})
            case 4:
                client.get("/mine")


client = app.test_client()
ask(client, 20)
start = time.perf_counter(), time.process_time()
ask(client, 300)
end = time.perf_counter(), time.process_time()
with open(sys.argv[1], "w") as file:
    print(end[0] - start[0], end[1] - start[1], file=file)
