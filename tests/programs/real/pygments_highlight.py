"""pygments: highlights several languages into several formats."""
# requires: pygments.formatters pygments.lexers
# scope-of: pygments
# artefact: B
# artefact-functions: *
import gc

gc.disable()
import pygments
from pygments import formatters, lexers

SOURCES = {
    "python": "@decorated\nclass A(B):\n    def f(self, *a): return f'{a!r}' + \"x\"  # note\n",
    "c": "#include <x.h>\nint main(void) { return 'a' + 0x10; } /* c */\n",
    "html": "<p class='x'>&amp;<script>var a = 1;</script></p>",
    "rust": "fn main() -> u8 { let x: &'static str = \"a\"; 1_u8 }",
    "json": '{"a": [1, 2.5, null, true]}',
}

for language, source in SOURCES.items():
    lexer = lexers.get_lexer_by_name(language)
    for name in ("html", "latex", "terminal256"):
        pygments.highlight(source, lexer, formatters.get_formatter_by_name(name))
