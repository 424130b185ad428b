"""What happens round a run: versions, other runs, interruptions, and what its results were made from.

* Before the first node: `first_lines` (of the log), `made_before` (is there what the run reads), `upkeep` (leftovers),
  `living_runs` (other runs of the project), `run_versions` (which versions it reads).
* Round every node: `evidence` (what results were made from, and whether they belong together).
* At the end of a run that is stopped: `interruption`, `typed_command` (how to go on).

`hooks.py` calls the first group, `settings.py` names `evidence` to Kedro, `cli.py` uses the last.
"""
