"""What is set for a run, wherever it was said: read, checked, and refused or warned of if it has no effect.

* What is read: `config_loader` (folders and files, and their order), `run_parameters` (the file of ``--params
  parameters=FILE``), `typed_names` (names on the command line).
* What it means: `structure` (folds and models, of which pipelines are built), `parameters` (all else), `source_path`
  and `data_root` (where scans and results lie).
* What is wrong with it: `catalog_names`, `without_effect`, `unread`; `given` tells which place has said what.

`hooks.py` calls them in the order in which a run needs them.
"""
