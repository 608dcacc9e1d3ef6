"""The judge's desk of a watch."""

from __future__ import annotations

from drainwatch.engine import Engine
from drainwatch.events import Names
from drainwatch.model import default_model_path, load_model
from drainwatch.watch.core import warm_up


def test_warming_up_goes_as_far_as_an_explained_incident() -> None:
    """What it leaves out is compiled at the first alert, while the streams wait, for up to a minute."""
    model = load_model(default_model_path())
    made: list[Engine] = []

    def new_engine(names: Names) -> Engine:
        made.append(Engine(model.arrays, model.card.get("features", ()), names))
        return made[-1]

    warm_up(new_engine)
    ((incident,),) = [engine.incidents for engine in made]
    assert incident.reasons
    assert incident.severity == "critical"
