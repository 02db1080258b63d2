"""The stages by their names, and all outputs by theirs."""

from healthpipe.stages import expiry_calendar, extract, filter_expiring, normalize, state_counts
from healthpipe.stages.view import Stage, View

STAGES: dict[str, Stage] = {
    module.STAGE.name: module.STAGE
    for module in (extract, filter_expiring, state_counts, normalize, expiry_calendar)
}

# What every run writes beside its result.
RUN_VIEWS = (View("rejects"), View("issues"))
VIEWS: dict[str, View] = {
    view.name: view
    for views in (*(stage.views for stage in STAGES.values()), RUN_VIEWS)
    for view in views
}


def written_by(view: View) -> str:
    """The stage that writes a view."""
    stages = (stage.name for stage in STAGES.values() if view in stage.views)
    return next(stages, "every run")
