"""Faults of what is asked for, and of runs that are stopped, run side by side or at the wrong time."""

import pytest

from tests.faults.harness import MISSION, PROCESS, TRAIN, Fault, nothing, table
from tests.faults.judge import Bench
from tests.faults.making import content, edited, removed

GROUP = "process"
RUN = "run --env nifti_folder"
LOCAL = "conf/local/parameters.yml"


def asked(name: str, arguments: str, says: str = "", **what) -> Fault:
    """A fault of the command line."""
    return Fault(name, nothing, says, f"{RUN} {arguments}", **{"again": PROCESS} | what)


def start(weights: str, file: str) -> str:
    """Parameters of the weights that a training starts from."""
    return f"training_3d.start.weights={weights},training_3d.start.weights_file={file}"


def stopped(name: str, how: str, function: str, call: int = 1, **what) -> Fault:
    """A run that is stopped when a function is called."""
    what = {"command": MISSION, "begin": "nifti_fresh", "ends": "stopped"} | what
    return Fault(name, nothing, inside=((how, {"function": function, "call": call}),), **what)


# fmt: off
ASKED = [
    asked("a parameter is misspelt", "--params training_3d.max_epoch=3",
          "parameter training_3d.max_epoch: unknown parameter, did you mean max_epochs?", quick=True),
    asked("a group of parameters is misspelt", "--params trainng_3d.max_epochs=3",
          "parameter 'trainng_3d' is unknown, did you mean 'training_3d'?"),
    asked("a parameter has a wrong type", "--params training_3d.max_epochs=many",
          "parameter training_3d.max_epochs: Input should be a valid integer ... (got 'many')"),
    asked("a parameter is out of range", "--params training_3d.batch_size=0",
          "parameter training_3d.batch_size: Input should be greater than 0 (got 0)"),
    asked("a share is given in percent", "--params splits.hold_out=25,cohort.exclude=null",
          "parameter splits.hold_out: Input should be less than 1 (got 25)"),
    asked("a learning rate is negative", "--params training_3d.optimiser.learning_rate=-0.1",
          "parameter training_3d.optimiser.learning_rate: Input should be greater than 0 (got -0.1)"),
    asked("a network is not known", "--params training_3d.model.name=resnet19",
          "parameter training_3d.model: name: no 3D network 'resnet19'; near it: resnet18", quick=True),
    asked("a metric to stop by is not known", "--params training_3d.stop.metric=val_acuracy",
          "parameter training_3d.stop.metric: unknown metric, did you mean val_accuracy?"),
    asked("an option has no value", "--params training_3d.max_epochs",
          "Item `training_3d.max_epochs` must contain a key and a value separated by `=`", code=2),
    asked("a pipeline is not known", "--pipelines trainig_3d",
          "--pipelines trainig_3d: there is none of this name; did you mean training_3d?"),
    asked("a node is not known", "--nodes read_cohrt",
          "--nodes read_cohrt: there is none of this name; did you mean read_cohort?", quick=True),
    asked("a tag is not known", "--tags evaluaton", "--tags evaluaton: "),
    Fault("an environment is not known", nothing,
          "--env nifty_folder: there is no folder ... did you mean nifti_folder?", command="run --env nifty_folder",
          quick=True),
    asked("a runner is not known", "--runner SequentialRuner",
          "--runner SequentialRuner: there is none of this name; did you mean SequentialRunner?"),
    asked("a version to load does not exist",
          "--pipelines training_3d --load-versions processed_volumes:2020-01-01T00.00.00.000Z",
          "--load-versions processed_volumes:2020-01-01T00.00.00.000Z: there is no such version; there are"),
    asked("a dataset of --load-versions is not known",
          "--pipelines training_3d --load-versions procesed_volumes:2020-01-01T00.00.00.000Z",
          "--load-versions procesed_volumes"),
    asked("a weights file is missing", "--pipelines training_3d --params " + start("medicalnet", "nowhere.pth"),
          "nowhere.pth: no such file; give weights_file the path of a downloaded file"),
    asked("a checkpoint for an inference is missing",
          "--pipelines inference --params inference.checkpoint=nowhere.safetensors",
          "nowhere.safetensors: no such file; a checkpoint is a .safetensors file with a .json"),
    asked("an eye for an inference is not in the source", "--pipelines inference --params inference.subject=e9",
          "inference.subject=e9: no such eye in the source, which holds e0, e1"),
    asked("a device is not there", "--pipelines training_3d --params training_3d.device=cuda",
          "device: there is no CUDA device; set it to auto or cpu"),
    asked("the network takes another number of channels", "--params training_3d.model.in_channels=2",
          "parameter training_3d.model.in_channels is 2, but the input has 1"),
    asked("folds are given beside a column split", "--params splits.folds=3",
          "splits.folds is 3, but ... subjects.csv has a column split, which is one fold; leave one"),
    asked("an evaluation comes before any training", "--pipelines evaluation",
          "was never made, and this run reads it; run the pipeline", begin="nifti_fresh", again=MISSION),
    asked("a training comes before any processing", "--pipelines training_3d",
          "processed_volumes ( ... was never made, and this run reads it; run the pipeline data_processing first",
          begin="nifti_fresh", again=MISSION),
    asked("an inference comes before any training", "--pipelines inference",
          "fold_1: no checkpoint there ... train it in this environment first (kedro run)", begin="nifti_fresh",
          again=MISSION),
]
CONFIGURED = [
    Fault("a file of parameters is no YAML", content(LOCAL, "source: [eyes\n"), "conf/local/parameters.yml"),
    Fault("a file of parameters is indented with tabs", content(LOCAL, "source:\n\tpath: eyes\n"),
          "conf/local/parameters.yml"),
    Fault("a file of parameters is named parameter.yml", lambda p: (p / LOCAL).rename(p / "conf/local/parameter.yml"),
          "conf/local/parameter.yml: no configuration has this name ... did you mean parameters.yml?", quick=True),
    Fault("a key stands in two files of a folder",
          content("conf/local/parameters_more.yml", "source: {path: others}\n"),
          "Duplicate keys found in ... source.path"),
    Fault("a key stands twice in one file", edited(LOCAL, lambda t: t + "source: {path: others}\n"),
          "parameters.yml): ... found duplicate key source"),
    Fault("a file of structure has a misspelt key", content("conf/local/structure.yml", "fold: 1\n"),
          "structure.yml: fold: unknown parameter, did you mean folds?"),
    Fault("folds are to be trained with no seed", content("conf/local/structure.yml", "seeds: 0\n"),
          "structure.yml: seeds: "),
    Fault("the number of seeds is given as a parameter", nothing, "parameter 'seeds' is structural ... structure.yml",
          command=f"{PROCESS} --params seeds=3"),
    Fault("seeds are raised and networks evaluated that were not trained",
          content("conf/local/structure.yml", "seeds: 2\n"),
          "training_3d.fold_1.seed_2", command="run --env nifti_folder --pipelines evaluation", again=MISSION),
    Fault("the configuration folder of the environment is gone", removed("conf/nifti_folder"),
          "--env nifti_folder: there is no folder ... there are base, local, octa500"),
    Fault("pretrained weights are asked for without a connection", nothing, "resnet18 ... download",
          command="run --env nifti_folder --nodes training_3d.fold_1.train --params training_3d.start.weights=timm,"
          "training_3d.model.name=resnet18,training_3d.model.widths=null,training_3d.model.width=1",
          inside=[("offline", {})]),
]
STOPPED = [
    stopped("killed while the cohort is read", "killed_at", "octa_kedro.cohort.table:select_eyes"),
    stopped("killed while volumes are processed", "killed_at", "octa_kedro.preprocessing.eye:process_volume", 5),
    stopped("killed between a file and its name", "killed_at", "pathlib:Path.replace", 12),
    stopped("killed while a training stores its state", "killed_at", "octa_kedro.training.state.state_file:flush", 1),
    stopped("killed while a checkpoint is saved", "killed_at", "octa_kedro.training.checkpoint:save_checkpoint"),
    stopped("killed while eyes are predicted", "killed_at", "octa_kedro.training.predict:predict_fold"),
    stopped("killed while tables of the evaluation are made", "killed_at", "octa_kedro.evaluation.tables:metric_table"),
    stopped("Ctrl-C while volumes are processed", "interrupted_at", "octa_kedro.preprocessing.eye:process_volume", 5),
    stopped("Ctrl-C while a network is trained", "interrupted_at", "octa_kedro.training.state.state_file:flush", 1),
    stopped("a scheduler ends the run while a network is trained", "terminated_at",
            "octa_kedro.training.state.state_file:flush", 1),
    Fault("a worker process is killed, as it is when memory is short", nothing, "worker",
          command=f"{PROCESS} --params execution.workers=2", begin="nifti_fresh", inside=[("worker_killed", {})],
          leaves="data/"),
    stopped("Ctrl-C while volumes are processed by several processes", "interrupted_at",
            "octa_kedro.io.processes:in_processes", 2, command=f"{PROCESS} --params execution.workers=2"),
    Fault("no memory is left while an eye is processed", nothing, "not enough memory ... execution.workers",
          command=PROCESS, begin="nifti_fresh",
          inside=[("least_memory", {"function": "octa_kedro.preprocessing.eye:process_volume"})], leaves="data/"),
    Fault("the clock is set back by a day", nothing, "newer than this run ... Correct the clock", command=TRAIN,
          inside=[("clock", {"hours": -24.0})]),
    Fault("a version is from the future",
          lambda p: (p / "data/nifti_folder/05_model_input/splits.csv/2099-01-01T00.00.00.000Z").mkdir(),
          "splits.csv/2099-01-01T00.00.00.000Z: newer than this run ... Correct the clock, move or delete"),
]
# fmt: on
FAULTS = [*ASKED, *CONFIGURED, *STOPPED]


@pytest.mark.parametrize("fault", table(FAULTS))
def test_process(bench: Bench, fault: Fault):
    bench.judge(fault)
