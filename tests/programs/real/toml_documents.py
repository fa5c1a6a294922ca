"""toml and tomli: the same documents through two parsers, and back."""
# requires: toml tomli
# scope-of: toml tomli
# artefact: B
# artefact-functions: *
# selective misses: __getattr__
import gc

gc.disable()
import toml
import tomli

TEXT = """title = "x"
[owner]
name = 'T "q"'
dob = 1979-05-27T07:32:00Z
[[products]]
sku = 738594937
colors = ["a", "b"]
nested = { x = 1, y = [1.5, 2e3] }
[[products]]
text = '''
several
lines'''
"""

assert toml.loads(TEXT)["title"] == tomli.loads(TEXT)["title"]
toml.loads(toml.dumps(toml.loads(TEXT)))
for broken in ("a = ", "[a", "a = 1\na = 2", 'x = "\\q"'):
    for parser in (toml, tomli):
        try:
            parser.loads(broken)
        except ValueError as error:
            str(error)
