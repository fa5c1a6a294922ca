"""Threads that make COUNT calls each at the highest rate, once a line has come; prints their ids."""

import os
import sys
import threading

COUNT = int(sys.argv[1])
THREADS = int(sys.argv[2])


def step():
    pass


def run(gate, ids):
    os.read(gate, 1)
    for _ in range(COUNT):
        step()
    ids.append(threading.get_native_id())


def main():
    gate, opener = os.pipe()
    ids = []
    threads = [threading.Thread(target=run, args=(gate, ids)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    os.write(opener, b"." * THREADS)
    for thread in threads:
        thread.join()
    print(*ids, flush=True)
    sys.stdin.readline()


main()
