"""exec, eval and compile: with a file name inside the scope, a relative one, and none."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = "def made(x):\n    return x\nclass C:\n    def m(self): return made(1)\nC().m()\n"


def helper():
    return 1


def run(filename):
    namespace = {"helper": helper}
    exec(compile(SOURCE, filename, "exec"), namespace)
    namespace["made"](2)
    return eval(compile("helper() + made(3)", filename, "eval"), namespace)


for _ in range(5):
    run(os.path.join(HERE, "made_up.py"))
    run(os.path.join(HERE, "..", os.path.basename(HERE), "other.py"))
    run(os.path.join(HERE, "site-packages", "vendored.py"))
    run(os.path.join(HERE, "venv", "lib", "python3.11", "library.py"))
    run(os.path.join(HERE, "venv", "lib", "python", "mine.py"))
    run(HERE + "_not/inside.py")
    run("<string>")
    run("<made up>")
    exec("helper()")
    eval("helper()")
    exec("def f(): return helper()\nf()")
