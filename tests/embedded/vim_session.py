"""A session of vim's: functions that work on a buffer, and that vim's own language calls back.

    vim -es -u NONE -c 'py3file vim_session.py' -c 'qall!'
"""

import vim

import truth


def fill(lines):
    for number in range(lines):
        vim.current.buffer.append("%d" % number)


def step(depth):
    """Python calls vim, which calls Python."""
    if depth:
        vim.command("py3 step(%d)" % (depth - 1))


def words():
    for line in vim.current.buffer:
        yield from line.split()


def session():
    fill(20)
    step(5)
    vim.command("%py3do return double(line)")
    total = sum(len(word) for word in words())
    vim.command("let g:total = py3eval('total_of(3)')")
    return total


def double(line):
    return line * 2


def total_of(n):
    return n + total_of(n - 1) if n else 0


truth.begin(session.__code__.co_filename)
session()
truth.end()
