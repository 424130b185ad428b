"""Evidence voxel by voxel, from gradients of the class margin with respect to the input.

All functions take one image ``(1, C, [D,] H, W)`` and return signed evidence ``([D,] H, W)``, summed over channels, in
units of logit per voxel: positive where a voxel speaks for the class.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.explain.config import BLUR_VOXELS
from octa_kedro.explain.request import MapRequest, require_gradient
from octa_kedro.explain.smoothing import blur_in_plane

BATCH = 8


def gradient_x_input(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Gradient times input (Shrikumar et al. 2016, arXiv 1605.01713)."""
    return channels_summed(mean_gradient(request, [image]) * image)


def smooth_grad(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """SmoothGrad (Smilkov et al. 2017, arXiv 1706.03825) times input: the mean gradient of noisy copies of the image.

    The noise has `smooth_grad_noise` of the image's range as its standard deviation."""
    return channels_summed(mean_gradient(request, _noisy(request, image, [image] * request.config.steps)) * image)


def integrated_gradients(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) from the eye blurred in plane, by the midpoint
    rule; their sum is what the margin gains from the blurred eye to the eye, up to the error of that rule.

    A black volume as baseline would ask why there is an eye at all; the blurred one has the same layers of the same
    brightness, and asks for what is local."""
    baseline = blurred(request, image)
    steps = request.config.steps
    path = (baseline + (step + 0.5) / steps * (image - baseline) for step in range(steps))
    return channels_summed(mean_gradient(request, path) * (image - baseline))


def donor_gradients(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Expected gradients (Erion et al. 2021, arXiv 1906.10670): integrated gradients from several healthy eyes that are
    warped onto this one, `steps` gradients in all.

    The k-th gradient lies at (k + 1/2) / steps of the way from one of the donors, which take turns, every second time
    in reverse order; so the cost does not grow with their number. If that divides `steps`, the evidence sums to what
    the margin gains from the healthy eyes, on average, to the eye, up to the error of the midpoint rule."""
    steps, donors = request.config.steps, request.donors(image)
    turns, path = _turns(steps, len(donors)), _between(image, donors, steps)
    evidence = torch.zeros_like(image)
    for turn in dict.fromkeys(turns):
        own = [point for point, whose in zip(path, turns, strict=True) if whose == turn]
        evidence += len(own) / steps * mean_gradient(request, own) * (image - donors[turn])
    return channels_summed(evidence)


def donor_smooth_grad(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """SmoothGrad along the paths of `donor_gradients`, times how the eye differs from the mean of its donors.

    At every point of the paths there is noise as in `smooth_grad`: on phantoms it steadies the gradients of networks
    that have learnt from few eyes. The evidence does not sum to a difference of margins."""
    steps, donors = request.config.steps, request.donors(image)
    healthy = torch.stack([donors[turn] for turn in _turns(steps, len(donors))]).mean(dim=0)
    path = _noisy(request, image, _between(image, donors, steps))
    return channels_summed(mean_gradient(request, path) * (image - healthy))


def blurred(request: MapRequest, image: torch.Tensor) -> torch.Tensor:
    """An image ``(1, C, [D,] H, W)`` whose depth slices are blurred by `baseline_blur_mm`: an eye without what
    is local."""
    sigma = request.voxels(None, request.config.baseline_blur_mm, BLUR_VOXELS)[-2:]
    plain = blur_in_plane(image[0].cpu().numpy(), request.tissue(image), sigma)
    return torch.from_numpy(plain)[None].to(image.device)


def _turns(steps: int, donors: int) -> list[int]:
    """Which donor each step starts from: there and back, so that no donor has only early or only late points."""
    there_and_back = [*range(donors), *reversed(range(donors))]
    return [there_and_back[k % len(there_and_back)] for k in range(steps)]


def _between(image: torch.Tensor, donors: Sequence[torch.Tensor], steps: int) -> list[torch.Tensor]:
    """The midpoint of each step on the way from a donor to the image."""
    starts = [donors[turn] for turn in _turns(steps, len(donors))]
    return [start + (k + 0.5) / steps * (image - start) for k, start in enumerate(starts)]


def _noisy(request: MapRequest, image: torch.Tensor, points: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Points with noise as wide as `smooth_grad_noise` of the image's range: the same for every eye, another one for
    every network, so that the mean over networks averages it too."""
    noise = torch.Generator().manual_seed(request.draw)
    width = request.config.smooth_grad_noise * float(image.max() - image.min())
    for point in points:
        yield point + width * torch.randn(image.shape, generator=noise).to(image.device)


def mean_gradient(request: MapRequest, images: Iterable[torch.Tensor]) -> torch.Tensor:
    """The mean gradient of the margin at several images ``(1, C, [D,] H, W)``, BATCH of them at a time; CheckpointError
    if it is 0 everywhere."""
    total, count, left = torch.zeros(()), 0, iter(images)
    while some := list(itertools.islice(left, BATCH)):
        at = torch.cat(some).detach().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(request.margin(at).sum(), at)
        total, count = total.to(at.device) + gradient.sum(0, keepdim=True), count + len(some)
    require_gradient(total)
    return total / count


def channels_summed(evidence: torch.Tensor) -> NDArray[np.float32]:
    """Evidence ``(1, C, [D,] H, W)`` summed over channels, as ``([D,] H, W)``."""
    return evidence[0].sum(dim=0).cpu().numpy()
