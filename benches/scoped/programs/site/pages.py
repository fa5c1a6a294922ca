"""A static site's pages: Markdown, with highlighted code, in a template."""

import pathlib

from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

HERE = pathlib.Path(__file__).parent


class Page:
    def __init__(self, path):
        self.name = path.stem
        self.text = path.read_text(encoding="utf-8")

    def title(self):
        return self.text.partition("\n")[0].lstrip("# ")

    def target(self):
        return f"{self.name}.html"


class Site:
    def __init__(self, articles):
        self.pages = [Page(path) for path in sorted(articles.glob("*.md"))]
        self.markdown = MarkdownIt("commonmark", {"highlight": self.highlight}).enable("table")
        self.formatter = HtmlFormatter()
        environment = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
        environment.filters["minutes"] = minutes
        self.template = environment.get_template("page.html")

    def highlight(self, code, language, _attributes):
        if not language:
            return ""
        return highlight(code, get_lexer_by_name(language), self.formatter)

    def headings(self, tokens):
        """Heads of sections, for the table of contents."""
        return [
            text.content
            for opening, text in zip(tokens, tokens[1:])
            if opening.type == "heading_open" and opening.tag == "h2"
        ]

    def render(self, page):
        tokens = self.markdown.parse(page.text)
        return self.template.render(
            page=page,
            pages=self.pages,
            headings=self.headings(tokens),
            body=self.markdown.renderer.render(tokens, self.markdown.options, {}),
        )

    def build(self):
        return {page.target(): self.render(page) for page in self.pages}


def minutes(text):
    """How long it takes to read."""
    return max(1, len(text.split()) // 200)
