"""The stages by their names."""

from healthpipe.stages import extract, filter_expiring, state_counts
from healthpipe.stages.outputs import Stage

STAGES: dict[str, Stage] = {
    module.STAGE.name: module.STAGE for module in (extract, filter_expiring, state_counts)
}
