"""docutils: reStructuredText to HTML, pseudo-XML and LaTeX."""
# requires: docutils.core docutils.parsers.rst
# scope-of: docutils
# artefact: B
# artefact-functions: *
# selective misses: IncrementalDecoder.decode __getattr__ PurePath.__fspath__
import gc

gc.disable()
import docutils.core

TEXT = """
Title
=====

A *paragraph* with ``code``, a `link <https://example.org>`_ and a footnote [1]_.

- one

  1. nested
- two

.. note:: Look.

.. list-table::

   * - a
     - b

Section
-------

:field: value
    ::

        literal

.. [1] The note.
"""

SETTINGS = {"report_level": 5, "_disable_config": True, "datestamp": None, "embed_stylesheet": False}
for writer in ("html5", "pseudoxml", "latex"):
    docutils.core.publish_string(TEXT, writer_name=writer, settings_overrides=SETTINGS)
