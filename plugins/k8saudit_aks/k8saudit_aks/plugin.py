"""The plugin as hosts see it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from falcopy_sdk import Batch, Metric, OpenParam, init_schema, metrics, open_params, plugin, source
from falcopy_sdk.exceptions import ConfigError, SourceFatal
from k8saudit_aks import config
from k8saudit_aks.deadletters import DeadLetters
from k8saudit_aks.fields import AksAuditFields
from k8saudit_aks.log import log
from k8saudit_aks.metrics import collect
from k8saudit_aks.ratelimit import RateLimit
from k8saudit_aks.records import RecordReader
from k8saudit_aks.rejects import Complaints, Rejects
from k8saudit_aks.replay import path_of, replay
from k8saudit_aks.stats import Stats
from k8saudit_aks.timing import Timing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from k8saudit_aks.rejects import DeadLetter
    from k8saudit_aks.settings import HubSettings
    from k8saudit_aks.stream import LiveStream

__all__ = ["K8sAuditAks"]


@plugin(
    name="k8saudit-aks",
    id=21,
    version="0.7.0",
    event_source="k8s_audit",
    description="Kubernetes audit events of AKS clusters, streamed from Azure Event Hubs",
    contact="The falcopy developers",
)
class K8sAuditAks(AksAuditFields):
    """Takes the place of the Go plugin of the same name: same id, source, fields and keys."""

    Config = init_schema(config.Config)
    #: Intervals of the live stream that the configuration does not name.
    timing: ClassVar[Timing] = Timing()

    def __init__(self, settings: config.Config | None) -> None:
        """Check the configuration; nothing is connected before the source is opened.

        Raises:
            ConfigError: a value has the wrong form.
        """
        self._config = settings or config.Config()
        self._config.check()
        self._stats = Stats()
        #: While the event hub is open.
        self._stream: LiveStream | None = None

    @source
    def events(self, params: str) -> Iterator[Batch] | AsyncIterator[Batch]:
        """The event hub of ``init_config``; for ``file:///path``: a file, once.

        The Go plugin takes any parameters and reads none; so do we, but for those of ours.

        Raises:
            SourceFatal: an URL of another kind, an incomplete configuration, or no such file;
                then the host cannot open the source. Later: a checkpoint container that does not
                exist.
        """
        if params.startswith("file:"):
            return replay(path_of(params), self._reader())
        if "://" in params:
            raise SourceFatal(
                "open_params: expected nothing for the event hub of init_config, or "
                "file:///absolute/path to replay a file"
            )
        if params not in ("", "default"):
            log.warning(
                "open_params name no file:///absolute/path to replay and are not used: reading "
                "the event hub of init_config"
            )
        try:
            return self._live(config.hub_settings(self._config))
        except ConfigError as error:
            raise SourceFatal(str(error)) from None

    def _reader(self, dead_letter: DeadLetter | None = None) -> RecordReader:
        return RecordReader(
            self._config.maxEventSize,
            self._stats,
            Rejects(self._stats, Complaints(), dead_letter),
            self._config.categories,
        )

    async def _live(self, hub: HubSettings) -> AsyncIterator[Batch]:
        # Only here: a replay needs none of the Azure client, which takes 30 to 60 MB.
        from k8saudit_aks.stream import LiveStream

        timing = replace(
            self.timing,
            checkpoint=self._config.checkpoint_interval,
            checkpoint_events=self._config.checkpoint_events,
            balancing=self._config.load_balancing_interval,
            ownership=self._config.partition_ownership_expiration_interval,
        )
        dead_letters = DeadLetters(self._stats) if hub.dead_letters.wanted else None
        reader = self._reader(dead_letters)
        stream = LiveStream(hub, timing, reader, self._stats, self._rate_limit(), dead_letters)
        self._stream = stream
        try:
            async with aclosing(stream.batches()) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self._stream = None

    @open_params
    def parameters(self) -> list[OpenParam]:
        """What to open."""
        return [OpenParam("default", "The event hub named in init_config")]

    @metrics
    def counters(self) -> dict[str, Metric]:
        """The counters since init, and how the live stream is doing."""
        return collect(self._stats, self._stream)

    def _rate_limit(self) -> RateLimit | None:
        per_second = self._config.rate_limit_events_per_second
        return RateLimit(per_second, self._config.rate_limit_burst) if per_second else None
