"""mistune: Markdown with plugins to HTML."""
# requires: mistune
# scope-of: mistune
# artefact: B
# artefact-functions: *
# selective misses: _tp_cache _type_check __getitem__ _generic_init_subclass
import gc

gc.disable()
import mistune

TEXT = """# Title

Some *text* with `code`, **bold [link](x "t")** and <https://example.org>.

> quote
> - list
>   1. nested

| a | b |
|---|--:|
| 1 | 2 |

```python
print(1)
```

~~gone~~ [^1]

[^1]: note
"""

render = mistune.create_markdown(plugins=["strikethrough", "table", "footnotes", "url"])
for _ in range(3):
    render(TEXT)
mistune.create_markdown(renderer="ast")(TEXT)
