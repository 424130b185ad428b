"""Parameters of a training run."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from octa_kedro.config import Config
from octa_kedro.identifiers import Given
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.start_config import StartConfig
from octa_kedro.preprocessing.patch_config import PatchConfig
from octa_kedro.training.data.config import AugmentationConfig, Sampling, ViewsConfig
from octa_kedro.training.engine.config import LossConfig, OptimiserConfig, ScheduleConfig, StopConfig
from octa_kedro.training.state.config import TrackingConfig


class FittingConfig(Config):
    """What is shared by everything that trains.

    A batch has `batch_size` images over all `devices` together, and a step of the optimiser takes `accumulate` batches.
    `precision` bf16 and fp16 are mixed precision, for GPUs. `workers` processes read images ahead. `clip_norm` bounds
    the norm of the gradient. `sampling` ``balanced`` draws every class equally often. `ema` is the decay of a moving
    average of the weights, which is then validated and kept in their place; the average forgets the random start, as
    its decay rises with the steps. `swa` is the share of all epochs after which the weights at the end of every epoch
    are averaged evenly instead, with batch-norm statistics of their own (see `averaging.EpochAverager`). `sam` is the
    radius of sharpness-aware steps (see `sharpness.py`), which cost twice the time. With `resume` an interrupted
    training resumes from its last stored state, and a finished one is not repeated while its inputs are the same; the
    state is stored after an epoch if `save_seconds` have passed since the last time.
    """

    max_epochs: PositiveInt = 30
    batch_size: PositiveInt = 4
    accumulate: PositiveInt = 1
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    clip_norm: PositiveFloat | None = None
    sampling: Sampling = "shuffled"
    ema: float | None = Field(None, gt=0, lt=1)
    swa: float | None = Field(None, gt=0, lt=1)
    sam: PositiveFloat | None = None
    seed: int = Field(0, ge=0)
    device: str = "auto"
    devices: PositiveInt = 1
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    workers: int = Field(0, ge=0)
    augmentation: AugmentationConfig = AugmentationConfig()
    tracking: TrackingConfig = TrackingConfig()
    resume: bool = True
    save_seconds: float = Field(20.0, ge=0)

    @model_validator(mode="after")
    def _possible(self) -> "FittingConfig":
        if self.ema is not None and self.swa is not None:
            raise ValueError("swa: only one average of the weights is kept; set swa or ema to null")
        if self.swa is not None and self.devices > 1:
            raise ValueError("swa: measures batch statistics on one device; set devices to 1, or use ema")
        if self.sam is not None and self.accumulate > 1:
            raise ValueError("sam: takes a step's gradient twice from one batch; set accumulate to 1")
        if self.sam is not None and self.precision == "fp16":
            raise ValueError("sam: the loss scale of fp16 lets gradients overflow now and then; set precision to bf16")
        return self


class TrainingConfig(FittingConfig):
    """One classifier: what it looks at, its network, and how it is fitted.

    `slabs` are the en-face maps a 2D network sees as channels. With `patches` it sees them in pieces: each patch is
    an image with its eye's label, and an eye's probability is the mean over its patches. `start` is what the network
    starts from, and which stages stay frozen. `model.classes` follows the cohort where it is not given. `mixup` is the
    alpha of Zhang et al. 2018, 0 is off. `views` are mirrored views of an image whose probabilities are averaged when
    it is predicted.
    """

    model: ModelConfig
    slabs: tuple[str, ...] = ()
    patches: PatchConfig | None = None
    start: StartConfig = StartConfig()
    loss: LossConfig = LossConfig()
    stop: StopConfig = StopConfig()
    mixup: float = Field(0.0, ge=0)
    views: ViewsConfig = ViewsConfig()

    def with_seed(self, number: int) -> "TrainingConfig":
        """The parameters of a fold's training with its seed of this `number` (1, 2, ...): `seed` itself for the first,
        one more for each further one. The only place that says so."""
        return self.model_copy(update={"seed": self.seed + number - 1})

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, given: Any) -> Any:
        """Refuse the place where the pre-training was chosen before, and name the new one."""
        if isinstance(given, dict) and "weights" in given:
            raise ValueError(f"weights: has moved to start.weights; write start: {{weights: {given['weights']}}}")
        return given

    @model_validator(mode="after")
    def _consistent(self) -> "TrainingConfig":
        is_2d = self.model.spatial_dims == 2
        if is_2d != bool(self.slabs):
            raise ValueError("slabs: name the en-face maps of a 2D network, and none for a 3D network")
        if is_2d and self.start.weights == "pretraining":
            raise ValueError("start.weights: pretraining is for 3D networks; choose random or timm for a 2D network")
        if self.patches is not None and not is_2d:
            raise ValueError("patches: en-face maps are cut into patches, volumes are not; a 3D network has none")
        if self.swa is not None and self.stop.keep == "best" and self.stop.keep_from < self.swa:
            raise ValueError(
                f"stop.keep_from: an epoch before averaging begins could be kept; set it to at least swa ({self.swa}), "
                "or stop.keep to last"
            )
        channels = len(self.slabs) if is_2d else 1
        if self.model.in_channels != channels:
            raise ValueError(f"model.in_channels is {self.model.in_channels}, but the input has {channels} (slabs)")
        return self


class AutoencoderConfig(FittingConfig):
    """The pre-training of one fold: an autoencoder of `model`'s convolutions, fitted to training subjects.

    `exclude` maps subjects that it does not learn from to the reason; they take part in everything else.
    """

    model: ModelConfig
    max_epochs: PositiveInt = 8
    exclude: dict[Given, str] | None = None

    @model_validator(mode="after")
    def _volumes(self) -> "AutoencoderConfig":
        if self.model.spatial_dims != 3:
            raise ValueError("model.spatial_dims: the autoencoder is for volumes, set it to 3")
        return self
