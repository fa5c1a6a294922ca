"""Eight threads, of which some call all the time and the others wait for what never comes."""

import queue
import socket
import sys
import threading
import time

here, there = socket.socketpair()
lock = threading.Lock()
started = threading.Barrier(9)
ended = False


def leaf(n):
    return n + 1


def busy():
    started.wait()
    n = 0
    while not ended:
        n = leaf(n)


def pause():
    time.sleep(1000)


def sleeping():
    started.wait()
    pause()


def locked():
    started.wait()
    lock.acquire()


def receiving():
    started.wait()
    here.recv(1)


def waiting():
    started.wait()
    threading.Event().wait()


def items():
    yield queue.SimpleQueue().get()


def generating():
    started.wait()
    for _ in items():
        pass


def main():
    lock.acquire()
    for target in [busy, busy, busy, sleeping, locked, receiving, waiting, generating]:
        threading.Thread(target=target, daemon=True).start()
    started.wait()
    time.sleep(0.1)
    print("ready", flush=True)
    sys.stdin.readline()


main()
