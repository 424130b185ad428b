"""What a user reads of errors and in the log: one line, with the cause and the remedy.

`one_line_errors` shows an error that ends a run, `kedro_errors` rewords those of Kedro, `words` shortens those of other
libraries, `log_lines` keeps text of files from steering a terminal. The errors themselves are in `octa_kedro.errors`.
"""
