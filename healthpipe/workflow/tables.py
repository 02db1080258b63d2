"""Glue's tables of what is published, kept in step with the pointer, which alone is the truth."""

import logging
from collections.abc import Mapping
from typing import Any

from healthpipe.aws.access import AthenaSettings
from healthpipe.errors import HealthpipeError
from healthpipe.storage.layout import Root

log = logging.getLogger("healthpipe")


def let_tables_follow(settings: AthenaSettings, root: Root, document: Mapping[str, Any]) -> None:
    """Have the tables show what the pointer's document names, if they do not already.

    A failure is only said: the next run tries again.
    """
    from healthpipe.engines.athena.published_tables import follow, lagging

    try:
        if document and lagging(settings, root, document):
            follow(settings, root, document)
    except HealthpipeError as error:
        log.warning("the tables in Glue lag behind what is published: %s", error)
