"""The errors that are the input's fault: each message names the file, subject or parameter at fault and the remedy."""


class OctaError(Exception):
    """Base of every error that is the input's fault; the command line shows it as one line."""


class DataError(OctaError):
    """A file, folder or table does not hold what its format promises."""


class DivergedError(DataError):
    """A loss, gradient or prediction is no longer finite: other parameters may do better with the same data."""


class ConfigError(OctaError):
    """A parameter is unknown, out of range, or disagrees with the data or with another parameter."""


class CheckpointError(OctaError):
    """A checkpoint is missing, incomplete, or does not fit the network it is loaded into."""


class LeakError(OctaError):
    """Subjects that must stay apart (training against test) overlap."""
