"""Wiring: which node takes what from the catalog.

**Where heavy libraries are imported.** Kedro builds all pipelines to list their names, to check parameters and to draw
the graph. So that this takes no longer than Kedro itself, what describes a run imports neither torch nor any other
library that computes: ``config.py`` of every package, ``pipelines/``, ``datasets/``, `parameters`, `structure` and
`hooks`. There is one pattern for it, in every ``nodes.py``:

* a node is decorated with `node_function`, has all its types, and imports what it calls inside its body;
* types that only annotations need are imported under ``if TYPE_CHECKING:``;
* parameter classes come from a ``config.py`` and are imported as usual, since Kedro builds them from the annotations.

Methods of ``datasets/`` import what reads or writes in the same way. Everywhere else imports stand at the top.
`tests/test_start.py` asks a fresh process what has been imported.
"""
