"""Results of many eyes: each is made once, kept under the name of all it depends on, and found again.

The ideas, in the order in which a run meets them:

* A **Result** (`result`) is what is made of one eye: an image or a stack of planes, with facts that were measured on
  the way.
* A **Recipe** (`recipe`) says how the results of one eye are made. There is one convention: ``make(parts)`` is given
  names of parts (``["volume", "lesion"]``) and returns ``{part: Result}``; a part that it leaves out is absent in
  this eye. For every part the recipe holds a hash of the ingredients: source bytes, configuration, other results.
* A **Code** (`code`) is the fingerprint of the source code that makes a result. It is computed from the functions
  themselves, over everything that they import inside this package (`modules`), without comments and docstrings.
  Nobody keeps a list of what a result depends on; what it can not depend on is named once, in `code.NOT_FOLLOWED`.
* A **Job** (`recipe`) is what a node returns: one part, of many eyes, that is to be made, and by how many processes.
* A **Store** (`store`) is a folder of results. A file is named ``<ingredients>-<code>-<part>``, so whatever is there
  is not made again, an interrupted run goes on, and a changed ingredient or an edited line of code makes another
  file. Eyes that cannot be made are set aside with their reason (quarantine), if the run's configuration says so.
* A **Stored** (`stored`) is one file of a store as later steps are given it; its bytes are checked before use.
* A **Manifest** (`stored`) names the stored result of each eye in one version of a dataset.

Keys (`keys`) are hashes of whole configurations minus exceptions that are named with their reason, so that a new
parameter can not be forgotten.

**Libraries.** The versions of the libraries that compute (numpy, scipy, SimpleITK, torch, MONAI, timm, ...; computed
from the imports as well) are treated in two ways. For the results of eyes they are written beside each result, and a
result that was made with other versions is used, with a line in the log: a new version of numpy should not cost a day
of processing, and changes less than rounding does. For a training they are part of its key: its promise is that it goes
on to the same bits, which another version of torch cannot keep.

**What is told** (`changes`). If something stored is not used because code has changed, the log has one line for each
dataset: how many eyes, which modules, and by which ``--load-versions`` a later step goes on with the earlier results.
"""
