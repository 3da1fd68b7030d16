"""Search of the free weights of a formula, kept on the disk trial by trial.

Sources: TPE, Bergstra et al., NeurIPS 2011; NSGA-II, Deb et al., IEEE Transactions on Evolutionary
Computation 2002; NSGA-III, Deb and Jain, the same 2014; all as Optuna has them. CMA-ES stands in
`paretorank.fusion.cma_es`.

The generator of each trial depends on the seed and on how many trials came before it, and on
nothing else: a search that was interrupted goes on with the trials it would have made.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import optuna
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from paretorank.foundation.errors import RunError
from paretorank.foundation.files import clear_write_errors, make_folder
from paretorank.foundation.progress import Listener, Progress, silent
from paretorank.foundation.seeds import derive_seed
from paretorank.fusion.cma_es import CmaEs
from paretorank.fusion.formula import Formula
from paretorank.fusion.trials import Measure, Measured, Trial, first_weights

SamplerName = Literal["tpe", "cmaes", "nsga2", "nsga3"]
POPULATION: Final = 20
"""Weights in a generation of NSGA-II and III: ten generations in 200 trials."""
_NAME: Final = "fusion"
_SEEDS: Final = 2**32  # what NumPy's older generators take


@dataclass(frozen=True)
class Search:
    """What is searched, and how.

    CMA-ES wants a single value and two or more weights.
    """

    formula: Formula
    n_values: int
    """What a measure returns, each to be made large."""
    sampler: SamplerName = "tpe"
    seed: int = 0

    def run(
        self, measure: Measure, n_trials: int, journal: Path, listener: Listener = silent
    ) -> list[Trial]:
        """Go on until there are so many trials, and return all that are there.

        Args:
            measure: what weights are worth; only called for new ones.
            n_trials: how many there shall be at last.
            journal: file of the trials; a search with other settings must not have written it.
            listener: hears of every trial.

        Raises:
            RunError: the journal is damaged or cannot be written.
        """
        with _quiet(), clear_write_errors(journal):
            study = _open(journal, self.n_values)
            trials = _trials(study)
            firsts = first_weights(self.formula)
            steps = CmaEs(self.formula, self.seed) if self.sampler == "cmaes" else None
            if steps:
                for trial in trials[len(firsts) :]:
                    steps.ask()
                    steps.tell(trial.measured)
            while len(trials) < n_trials:
                listener(Progress("fusion", len(trials), n_trials, "trials", _best(trials)))
                wanted = firsts[len(trials)] if len(trials) < len(firsts) else None
                if steps and wanted is None:
                    wanted = steps.ask()
                    trials.append(self._try(study, measure, wanted, len(trials)))
                    steps.tell(trials[-1].measured)
                else:
                    trials.append(self._try(study, measure, wanted, len(trials)))
            listener(Progress("fusion", len(trials), len(trials), "trials", _best(trials)))
        return trials

    def _try(
        self, study: optuna.Study, measure: Measure, wanted: dict[str, float] | None, number: int
    ) -> Trial:
        """Measure the wanted weights, or those that the sampler proposes, and write them down."""
        study.sampler = self._sampler(number)
        if wanted is not None and not study.get_trials(False, (TrialState.WAITING,)):
            study.enqueue_trial(wanted)
        trial = study.ask()
        ranges = self.formula.ranges
        weights = {
            name: trial.suggest_float(name, ranges[name].low, ranges[name].high)
            for name in self.formula.weights
        }
        measured = measure(weights)
        for at, shortfall in enumerate(measured.shortfalls):
            trial.set_constraint(f"{at:03}", shortfall)
        study.tell(trial, measured.values)
        return Trial(weights, measured)

    def _sampler(self, number: int) -> BaseSampler:
        seed = derive_seed(self.seed, _NAME, number) % _SEEDS
        match self.sampler:
            case "nsga2":
                return NSGAIISampler(population_size=POPULATION, seed=seed)
            case "nsga3":
                with warnings.catch_warnings():  # it has been experimental for years
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    return NSGAIIISampler(population_size=POPULATION, seed=seed)
            case "tpe" | "cmaes":  # the second proposes itself
                return TPESampler(seed=seed)


def _open(journal: Path, n_values: int) -> optuna.Study:
    """Open the study of a journal, without what a killed process has left half-done."""
    make_folder(journal.parent)
    Path(f"{journal}.lock").unlink(missing_ok=True)  # the folder is locked: its owner is dead
    if journal.exists():
        _drop_torn_line_(journal)
    directions = [optuna.study.StudyDirection.MAXIMIZE] * n_values
    try:
        storage = JournalStorage(JournalFileBackend(str(journal)))
        if _NAME in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=_NAME, storage=storage)
        else:
            study = optuna.create_study(storage=storage, study_name=_NAME, directions=directions)
    except (ValueError, KeyError) as error:
        raise RunError(
            f"{journal} is damaged: {error}.", hint="Remove the file; the search begins anew."
        ) from None
    for trial in study.get_trials(False, (TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def _drop_torn_line_(journal: Path) -> None:
    with journal.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def _trials(study: optuna.Study) -> list[Trial]:
    found = []
    for trial in study.get_trials(False, (TrialState.COMPLETE,)):
        shortfalls = tuple(trial.constraints[key] for key in sorted(trial.constraints))
        found.append(Trial(dict(trial.params), Measured(tuple(trial.values), shortfalls)))
    return found


def _best(trials: list[Trial]) -> dict[str, float | str]:
    """Return the best first value of the trials that keep all bounds."""
    kept = [trial.measured.values[0] for trial in trials if trial.measured.miss == 0.0]
    return {"best": max(kept)} if kept else {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from telling the standard error that a study was created."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
