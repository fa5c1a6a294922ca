"""For each line of its input, calls `counted` as often as the line says, and says so."""

import sys


def counted(n):
    return n


def serve():
    print("ready", flush=True)
    for line in sys.stdin:
        for n in range(int(line)):
            counted(n)
        print("done", flush=True)


serve()
