"""Audit log of a GitHub organisation, outbound only: no webhook, no public address.

https://docs.github.com/en/rest/orgs/orgs#get-the-audit-log-for-an-organization
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
from falcopy_sdk import (
    Batch,
    Event,
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

#: Milliseconds that each poll looks back: GitHub may show an event after later ones.
LOOK_BACK = 60_000
Mark = tuple[int, str]  # time (ms) and id of an event


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
        state_file: Annotated[str, "Keeps the place; empty: each start begins a minute back"] = ""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._waits = 0
        #: Events of the last LOOK_BACK that Falco has finished with.
        self._seen: set[Mark] = set()

    @source
    async def events(self, params: str) -> AsyncIterator[Batch]:
        seen = self._seen or self._kept() or {(time.time_ns() // 1_000_000, "")}
        self._keep(seen)  # so that a restart before the first event does not begin later
        headers = {"Authorization": f"Bearer {self._config.token.reveal()}"}
        headers["X-GitHub-Api-Version"] = "2022-11-28"
        async with httpx.AsyncClient(headers=headers, timeout=30) as http:
            while True:
                url: str | None = self._first_page(max(seen)[0])
                while url:
                    answer = await self._get(http, url)
                    new = {mark: e for e in answer.json() if (mark := _mark(e)) not in seen}
                    seen = seen | set(new)
                    oldest = max(seen)[0] - LOOK_BACK - 1000  # searches begin with a whole second
                    seen = {mark for mark in seen if mark[0] >= oldest}
                    if new:
                        events = [Event(e, ts=when * 1_000_000) for (when, _), e in new.items()]
                        yield Batch(events, delivered=partial(self._keep, seen))
                    url = answer.links.get("next", {}).get("url")
                await asyncio.sleep(self._config.interval)

    def _first_page(self, newest: int) -> str:
        start = datetime.fromtimestamp((newest - LOOK_BACK) // 1000, UTC)
        query = f"phrase=created:>={start:%Y-%m-%dT%H:%M:%SZ}&include=all&order=asc&per_page=100"
        return f"{self._config.url}/orgs/{self._config.organization}/audit-log?{query}"

    async def _get(self, http: httpx.AsyncClient, url: str) -> httpx.Response:
        try:
            answer = await http.get(url)
        except httpx.TransportError as error:
            raise SourceRetry(f"cannot reach {self._config.url}: {error!r}") from None
        if answer.status_code in (403, 429) and (wait := _wait(answer)) is not None:
            self._waits += 1
            raise SourceRetry("GitHub's rate limit is used up", after=wait)
        if answer.is_error:
            hint = ": check organization and token" if answer.status_code in (401, 403, 404) else ""
            raise SourceRetry(f"GitHub answers {answer.status_code}{hint}")
        return answer

    def _kept(self) -> set[Mark]:
        try:
            text = Path(self._config.state_file).read_text()
            return {(int(when), str(name)) for when, name in json.loads(text)}
        except (FileNotFoundError, IsADirectoryError):
            return set()
        except (OSError, ValueError, TypeError) as error:
            raise SourceFatal(f"state_file {self._config.state_file}: {error}") from error

    def _keep(self, seen: set[Mark]) -> None:
        if self._seen and max(seen) < max(self._seen):
            return  # read again after an error: Falco is further already
        self._seen = seen
        if self._config.state_file:
            beside = Path(self._config.state_file + ".new")
            beside.write_text(json.dumps(sorted(seen)))
            os.replace(beside, self._config.state_file)

    @metrics
    def counters(self) -> dict[str, int]:
        return {"rate_limited": self._waits}

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
        actor = str(event.json.get("actor"))
        return bool(event.json.get("actor_is_bot")) or actor.endswith("[bot]")


def _mark(event: dict[str, Any]) -> Mark:
    """Git events may come without an id: those are known by all that they say."""
    name = event.get("_document_id") or json.dumps(event, sort_keys=True)
    return event.get("@timestamp") or event["created_at"], name


def _wait(answer: httpx.Response) -> float | None:
    """Seconds until the rate limit allows more; None: it is not about the limit."""
    if "Retry-After" in answer.headers:
        return float(answer.headers["Retry-After"])
    if answer.headers.get("X-RateLimit-Remaining") == "0":
        return max(0.0, float(answer.headers["X-RateLimit-Reset"]) - time.time())
    # A secondary limit may come without either: "wait for at least one minute".
    return 60.0 if answer.status_code == 429 or "rate limit" in answer.text else None
