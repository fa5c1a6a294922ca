"""Calls once into a library, which makes some millions of calls among its own functions.

main.py FILE  writes the processor's seconds of the library's fastest stretch to FILE.
"""

import sys

import library

fastest = library.fastest(stretches=20, rounds=250_000)
with open(sys.argv[1], "w") as file:
    print(fastest, file=file)
