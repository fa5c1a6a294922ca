"""jinja2: compiles and renders templates with inheritance, macros, loops, filters, errors."""
# requires: jinja2 markupsafe
# scope-of: jinja2 markupsafe
# artefact: B
# artefact-functions: *
# selective misses: _tp_cache _type_check __getitem__ __getattr__ Flag.__or__ ChainMap.__iter__ __hash__
import gc

gc.disable()
import jinja2

TEMPLATES = {
    "base": "<{% block head %}{% endblock %}>{% block body %}base{% endblock %}",
    "page": "{% extends 'base' %}{% from 'macros' import item %}{% block body %}{{ super() }}"
    "{% for row in rows recursive %}{{ item(row) }}{% if loop.last %}.{% endif %}{% endfor %}"
    "{% endblock %}",
    "macros": "{% macro item(x, y=1) %}{{ x|upper|e }}{{ y + 1 }}{{ caller is defined }}{% endmacro %}",
    "filters": "{{ [3,1,2]|sort|join('-') }} {{ 'a b'|title }} {{ {'k': '<v>'}|dictsort }}"
    "{% set total = namespace(n=0) %}{% for i in range(5) %}{% set total.n = total.n + i %}"
    "{% endfor %}{{ total.n }}",
    "broken": "{% if %}",
    "undefined": "{{ missing.attribute }}",
}

for autoescape in (True, False):
    environment = jinja2.Environment(loader=jinja2.DictLoader(TEMPLATES), autoescape=autoescape)
    for name in TEMPLATES:
        try:
            environment.get_template(name).render(rows=["a", "<b>"])
        except jinja2.TemplateError as error:
            str(error)
