"""Audit log of a GitHub organisation, outbound only: no webhook, no public address.

https://docs.github.com/en/rest/orgs/orgs#get-the-audit-log-for-an-organization
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx

from falcopy_sdk import (
    Batch,
    Event,
    Metric,
    Range,
    Secret,
    SourceFatal,
    SourceRetry,
    extract,
    init_schema,
    metrics,
    plugin,
    source,
)


@plugin(
    name="github-audit",
    id=999,
    version="0.1.0",
    event_source="github_audit",
    description="Audit log of a GitHub organisation, polled over its REST API",
    contact="https://example.org/github-audit",
)
class GitHubAudit:
    @init_schema
    @dataclass
    class Config:
        organization: Annotated[str, "Name of the organisation"]
        token: Annotated[Secret, "Token with the scope read:audit_log"]
        url: Annotated[str, "For Enterprise Server: https://HOST/api/v3"] = "https://api.github.com"
        interval: Annotated[float, "Seconds between two polls", Range(0.01, 3600)] = 30.0
        state_file: Annotated[str, "Keeps the place; empty: begin with now after each start"] = ""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._polls = self._waits = 0
        #: The newest time (ms) that Falco has finished with, and the ids of that moment.
        self._place: tuple[int, list[str]] | None = None

    @source
    async def events(self, params: str) -> AsyncIterator[Batch]:
        since, seen = self._place or self._kept() or (time.time_ns() // 1_000_000, [])
        headers = {"Authorization": f"Bearer {self._config.token.reveal()}"}
        headers["X-GitHub-Api-Version"] = "2022-11-28"
        async with httpx.AsyncClient(headers=headers, timeout=30) as http:
            while True:
                url: str | None = self._first_page(since)
                while url:
                    answer = await self._get(http, url)
                    new = [e for e in answer.json() if e["_document_id"] not in seen]
                    for event in new:
                        seen = [
                            event["_document_id"],
                            *(seen if event["@timestamp"] == since else ()),
                        ]
                        since = event["@timestamp"]
                    if new:
                        events = [Event(event, ts=event["@timestamp"] * 1_000_000) for event in new]
                        yield Batch(events, delivered=partial(self._keep, since, seen))
                    url = answer.links.get("next", {}).get("url")
                await asyncio.sleep(self._config.interval)

    def _first_page(self, since: int) -> str:
        # The search knows seconds; what is seen already of that second is left out above.
        start = datetime.fromtimestamp(since // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = f"phrase=created:>={start}&include=all&order=asc&per_page=100"
        return f"{self._config.url}/orgs/{self._config.organization}/audit-log?{query}"

    async def _get(self, http: httpx.AsyncClient, url: str) -> httpx.Response:
        self._polls += 1
        try:
            answer = await http.get(url)
        except httpx.TransportError as error:
            raise SourceRetry(f"cannot reach {self._config.url}: {error!r}") from None
        if answer.status_code in (403, 429) and (wait := _wait(answer)) is not None:
            self._waits += 1
            raise SourceRetry("GitHub's rate limit is used up", after=wait)
        if answer.status_code in (401, 403, 404):
            raise SourceRetry(
                f"GitHub answers {answer.status_code}: check the organisation's name, and that the "
                "token has the scope read:audit_log"
            )
        if answer.is_error:
            raise SourceRetry(f"GitHub answers {answer.status_code}")
        return answer

    def _kept(self) -> tuple[int, list[str]] | None:
        try:
            since, seen = json.loads(Path(self._config.state_file).read_text())
            return int(since), list(seen)
        except (FileNotFoundError, IsADirectoryError):
            return None
        except (OSError, ValueError, TypeError) as error:
            raise SourceFatal(f"state_file {self._config.state_file}: {error}") from error

    def _keep(self, since: int, seen: list[str]) -> None:
        self._place = since, seen
        if self._config.state_file:
            beside = Path(self._config.state_file + ".new")
            beside.write_text(json.dumps([since, seen]))
            os.replace(beside, self._config.state_file)

    @metrics
    def counters(self) -> dict[str, Metric]:
        return {"polls": Metric(self._polls), "rate_limited": Metric(self._waits)}

    action = extract.path("github.action", "action", desc="What was done, such as repo.destroy")
    actor = extract.path("github.actor", "actor", desc="Who did it")
    ip = extract.path("github.actor.ip", "actor_ip", desc="From which address")
    country = extract.path("github.country", "actor_location", "country_code", desc="From where")
    repo = extract.path("github.repo", "repo", desc="Repository, with its owner")
    user = extract.path("github.user", "user", desc="Who it was done to")
    visibility = extract.path("github.visibility", "visibility", desc="Of the repository, now")

    @extract("github.bot")
    def bot(self, event: Event) -> bool:
        """Whether an app or a bot did it."""
        return bool(event.json.get("actor_is_bot")) or str(event.json.get("actor")).endswith(
            "[bot]"
        )


def _wait(answer: httpx.Response) -> float | None:
    """Seconds until the rate limit allows more; None: it is not about the limit."""
    if "Retry-After" in answer.headers:
        return float(answer.headers["Retry-After"])
    if answer.headers.get("X-RateLimit-Remaining") == "0":
        return max(0.0, float(answer.headers["X-RateLimit-Reset"]) - time.time())
    return None
