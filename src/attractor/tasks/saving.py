"""What is fitted as a folder of files that belong together, none of them a pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor

from attractor.errors import InputError
from attractor.files import json_text, read_json, replacing_together
from attractor.models.hub import located
from attractor.models.store import fingerprint, load_tensors, write_tensors

if TYPE_CHECKING:
    from typing_extensions import Self


FORMATS = {"AnomalyDetector": 4}  # 1 of all others; raised when scores change, for calibrations are of the old ones
WEIGHTS = "model.safetensors"
PARTS = (WEIGHTS, "calibration.json", "config.json")


Fit = TypeVar("Fit", bound=Callable[..., Any])


class Saved:
    """What is fitted, saved as a folder and loaded from one.

    ``fitted_with_``: the settings of the fit, once there was one.
    """

    fitted_with_: dict[str, Any]
    get_params: Callable[..., dict[str, Any]]  # of scikit-learn's BaseEstimator
    _write: ClassVar[Callable[..., Path]]  # a method: writes the folder, and returns it
    _read: ClassVar[Callable[..., Any]]  # a class method: reads the folder
    _free: ClassVar[tuple[str, ...]] = ()  # settings that a fit does not depend on

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write settings, weights and, of one that decides, its calibration into the folder, which is returned.

        Raises :class:`InputError` before a fit, and where a setting it depends on was changed since.
        """
        self._check_fitted()
        now = self.get_params(deep=False)
        before = getattr(self, "fitted_with_", now)  # an in-painter paints, and is saved, without a fit too
        if changed := [name for name in now if name not in self._free and now[name] != before[name]]:
            raise InputError(f"{', '.join(changed)}: changed since the fit; fit again, or set it back, and then save")
        return self._write(Path(folder).expanduser())

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Self:
        """Read what :meth:`save` wrote, here or on the Hub (``org/name``); anything wrong is an :class:`InputError`."""
        with torch.random.fork_rng(devices=[]):  # networks start with weights that are written over: nothing is drawn
            fitted = cls._read(located(folder))
        fitted.fitted_with_ = fitted.get_params(deep=False)
        return fitted

    def _check_fitted(self) -> None:
        if not hasattr(self, "fitted_with_"):
            raise InputError(f"this {type(self).__name__} is not fitted; call fit, or load a saved one")


def whole_or_not_at_all(fit: Fit) -> Fit:
    """A ``fit`` that leaves the object as it was where it fails or is interrupted."""

    @wraps(fit)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            fitted = fit(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise
        self.fitted_with_ = self.get_params(deep=False)
        return fitted

    return cast(Fit, wrapped)


def save_parts(
    folder: Path, task: str, config: dict[str, Any], calibration: dict[str, Any], tensors: dict[str, Tensor]
) -> Path:
    """Write ``config.json``, ``model.safetensors`` and ``calibration.json``, each carrying the weights' fingerprint."""
    identity = fingerprint(tensors.values())  # in all three files: parts of two detectors do not mix
    with replacing_together([folder / name for name in PARTS]) as (weights, decisions, settings):
        write_tensors(weights, tensors)
        decisions.write_text(json_text({**calibration, "weights": identity}), encoding="utf-8")
        settings.write_text(json_text({**stamp(task), "weights": identity, **config}), encoding="utf-8")
    return folder


def load_parts(folder: Path, task: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    """Read what :func:`save_parts` wrote; anything missing, of another task or mixed raises :class:`InputError`."""
    config = read_config(folder, task)
    calibration, tensors = read_json(folder / "calibration.json"), load_tensors(folder / WEIGHTS)
    known = calibration.get("weights") if isinstance(calibration, dict) else None
    if not fingerprint(tensors.values()) == config.get("weights") == known:
        raise InputError(f"{folder} holds parts of different detectors (an interrupted save?); fit it again")
    return config, calibration, tensors


def settings_of(fitted: Any) -> dict[str, Any]:
    """Its settings, but where its model came from: it holds that now, and so does its folder."""
    return {name: v for name, v in fitted.get_params(deep=False).items() if name not in ("model", "pretrained")}


def stamp(task: str) -> dict[str, Any]:
    """What every ``config.json`` of a task says of itself."""
    return {"format": FORMATS.get(task, 1), "task": task}


def read_config(folder: Path, task: str) -> dict[str, Any]:
    """``config.json`` of a task; that of another or of another format raises :class:`InputError`."""
    config, wanted = read_json(folder / "config.json"), stamp(task)["format"]
    held, found = (config.get("task"), config.get("format")) if isinstance(config, dict) else (None, None)
    if held is not None and held != task:
        raise InputError(f"{folder} holds a fitted {held}, and this asks for {task}; choose another folder")
    if (held, found) != (task, wanted):
        raise InputError(f"{folder / 'config.json'} is of the format {found} of {task}, not {wanted}; fit it again")
    return config


@contextmanager
def refusing_foreign(folder: Path) -> Iterator[None]:
    """Turn what comes of settings that are missing or of another kind into an :class:`InputError`."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{folder} has settings that are missing or foreign ({error}); fit it again") from None
