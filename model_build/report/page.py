"""Page: puts tables, figures and examples together into one self-contained HTML file and a JSON.

runs -> tables, figures, examples -> `Content` -> page.html (autoescaped) | compare.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2

from model_build import anchors, base_rates
from model_build.companion_inconsistencies import everything
from model_build.published import CONV_LSTM, HEADING, PAPER
from model_build.report import claims, doubt, figures, grid, networks
from model_build.report.examples import Example
from model_build.report.grid import NOT_STATED, Grid
from model_build.report.run_folder import Run
from service.model.windows import WINDOW_NAMES

NOTICE = "Research use, not a medical device."
TITLE = "Networks compared"
TEMPLATE = "page.html"
SECTIONS = (
    ("networks", "Networks"),
    ("paper", "Papers' tables"),
    ("roc", "ROC"),
    ("calibration", "Calibration"),
    ("confusion", "Confusion"),
    ("prevalence", "Prevalence"),
    ("doubt", "Doubt"),
    ("curves", "Curves"),
    ("ablations", "Ablations"),
    ("examples", "Examples"),
    ("inconsistencies", "Inconsistencies"),
    ("anchors", "Other figures"),
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a report is made of: finished runs, the main one first, and what others measured."""

    runs: tuple[Run, ...]
    budget: str
    examples: tuple[Example, ...] = ()
    ablations: Grid | None = None
    unet: Mapping[str, Any] | None = None

    @property
    def by_network(self) -> dict[str, Run]:
        """The runs by the name of their network; the first of a network stands for it."""
        found: dict[str, Run] = {}
        for run in self.runs:
            found.setdefault(run.network, run)
        return found


def html(content: Content) -> str:
    """The page; every text of it is escaped."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"shown": grid.shown, "interval": grid.interval}
    main = content.runs[0]
    drawings = {
        "roc": figures.roc(content.runs),
        "reliability": figures.reliability(main),
        "lesions": figures.lesion_curves(main),
        "risk": figures.risk_curves(main),
        "curves": figures.training_curves(content.runs),
    }
    return environment.get_template(TEMPLATE).render(
        **_tables(content),
        title=TITLE,
        notice=notice(content.runs),
        heading=HEADING,
        lead=_lead(content.runs),
        budget_note=budget_note(content.budget),
        sections=SECTIONS,
        main=main.name,
        figures=drawings,
        prevalence=prevalence_sentences(main),
        examples=content.examples,
        windows=WINDOW_NAMES,
        inconsistencies=everything(),
        anchors=(("Research models", anchors.RESEARCH), ("Cleared devices", anchors.DEVICES)),
    )


def data(content: Content) -> str:
    """The same as JSON: claimed figures under `claimed`, ours under `measured`."""
    main = content.runs[0]
    measured = {run.name: _measured(run) for run in content.runs}
    tables = {
        key: [asdict(one) for one in (value if isinstance(value, Sequence) else [value])]
        for key, value in _tables(content).items()
        if value is not None
    }
    document = {
        "notice": notice(content.runs),
        "budget": budget_note(content.budget),
        "main": main.name,
        "measured": measured,
        "claimed": claims.claims_as_data(),
        "unet": content.unet,
        "tables": tables,
        "prevalence": prevalence_sentences(main),
        "inconsistencies": [asdict(item) for item in everything()],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def notice(runs: Sequence[Run]) -> str:
    """What every manifest says of its model, each sentence once, and never less than `NOTICE`."""
    text = " ".join(dict.fromkeys(run.manifest.notice for run in runs))
    return text if "not a medical device" in text else f"{NOTICE} {text}"


def budget_note(budget: str) -> str:
    """Names the budget and what follows from it; no budget here is that of a paper."""
    return (
        f"Training budget: {budget}. The networks saw far fewer slices than those of their papers "
        "(slices seen, below): order and distance between them may change with more training."
    )


def prevalence_sentences(main: Run) -> list[str]:
    """What the natural share of hemorrhage does to the published and to our figures."""
    natural, rates = base_rates.natural(), CONV_LSTM.rates
    shares = ", ".join(f"{label} {100 * share:.3f} %" for label, share in natural.items())
    values = ", ".join(
        f"{100 * value:.0f} % {name}" for name, value in base_rates.claimed_ppv().items()
    )
    return [
        f"Natural share of positive slices ({base_rates.slices():,} slices): {shares}.",
        f"A predictor that always answers no has {100 * base_rates.always_negative_accuracy():.2f} "
        f"% mean accuracy per label there, and {100 * networks.always_negative(main):.2f} % on the "
        f"test split of this report; {PAPER} claim {rates.accuracy} %.",
        f"PPV of their {rates.sensitivity}/{rates.specificity} (sens/spec) would be {values} "
        "prevalence.",
        f"Always answering the natural prevalence gives a weighted log loss of "
        f"{base_rates.weighted_prior_loss():.4f}; challenge winners {base_rates.WINNING_LOSS}.",
    ]


def _tables(content: Content) -> dict[str, Any]:
    runs, main = content.runs, content.runs[0]
    by_network = content.by_network
    return {
        "budgets": networks.budgets(runs),
        "measured_tables": (networks.discrimination(runs), networks.losses(runs)),
        "paper_tables": (*claims.paper_tables(by_network), claims.segmentation(content.unet)),
        "confusions": tuple(networks.confusion(run) for run in runs),
        "ppv": networks.predictive_values(runs),
        "data": networks.data(main),
        "doubt": doubt.tables(runs),
        "ablations": content.ablations,
    }


def _measured(run: Run) -> dict[str, Any]:
    return {
        "network": run.network,
        "parameters": run.parameters,
        "training": run.training,
        "evaluation": run.evaluation,
        "thresholds": list(run.manifest.thresholds),
        "weights_sha256": run.manifest.weights_sha256,
    }


def _lead(runs: Sequence[Run]) -> str:
    slices = {len(run.scores.names) for run in runs}
    patients = {len(set(run.scores.patients)) for run in runs}
    same = len({tuple(run.scores.names) for run in runs}) == 1
    count = " / ".join(str(number) for number in sorted(slices))
    people = " / ".join(str(number) for number in sorted(patients))
    on = "the same test split" if same else "test splits that differ between the networks"
    notes = dict.fromkeys(str(run.evaluation.get("data_note", NOT_STATED)) for run in runs)
    return (
        f"{len(runs)} networks, evaluated on {on}: {count} slices of {people} patients. Data: "
        f"{' '.join(notes)} Thresholds and calibration come from validation patients. "
        f"{networks.weighing(runs[0])}"
    )
