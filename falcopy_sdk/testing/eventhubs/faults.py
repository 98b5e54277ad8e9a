"""Everything that can go wrong with the service, on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Unpack

from .amqp import conditions
from .amqp.conditions import AmqpError
from .rules import LinkTraits, Rule, TokenRule, check_traits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .connection import Connection
    from .link import Link
    from .service import Service

_DETACHED = "The link was force detached by the broker."


class Faults:
    """Faults of a running emulator, at once or as standing orders.

    Which links are meant is told by traits: ``kind`` ("consumer", "producer", "cbs",
    "management"), ``hub``, ``consumer_group``, ``partition``, ``link`` (a `LinkRecord.id`); without
    any, all links are. Refusing to listen is the emulator's (`Emulator.stop_listening`).
    """

    def __init__(self, service: Service, connections: set[Connection]) -> None:
        self._service = service
        self._connections = connections

    def _links(self, traits: LinkTraits) -> Iterator[Link]:
        for connection in tuple(self._connections):
            for session in connection.sessions:
                for link in tuple(session.links.values()):
                    if link.open and link.record.matches(**traits):
                        yield link

    # At once.

    def detach(
        self,
        condition: str = conditions.DETACH_FORCED,
        description: str = _DETACHED,
        **traits: Unpack[LinkTraits],
    ) -> int:
        """Detach links with an error.

        Returns:
            How many there were.
        """
        links = tuple(self._links(check_traits(traits)))
        for link in links:
            link.detach(AmqpError(condition, description))
        return len(links)

    def close_connections(
        self,
        condition: str = conditions.CONNECTION_FORCED,
        description: str = "The connection was closed by the broker.",
    ) -> int:
        """Close all connections with an error, and return how many there were."""
        connections = tuple(self._connections)
        for connection in connections:
            connection.close(AmqpError(condition, description))
        return len(connections)

    def abort_connections(self) -> int:
        """Reset all TCP connections, and return how many there were."""
        connections = tuple(self._connections)
        for connection in connections:
            connection.abort()
        return len(connections)

    def stall(self) -> None:
        """Freeze: connections stay up, but nothing is read or written, heartbeats included."""
        if not self._service.stalled:
            self._service.stalled = True
            for connection in tuple(self._connections):
                connection.stall()

    def unstall(self) -> None:
        """Thaw."""
        if self._service.stalled:
            self._service.stalled = False
            for connection in tuple(self._connections):
                connection.unstall()

    def inject(self, octets: bytes) -> int:
        """Send octets that are no AMQP on all connections, and return how many there were."""
        connections = tuple(self._connections)
        for connection in connections:
            connection.write(octets)
        return len(connections)

    # Standing orders.

    def refuse_links(
        self,
        condition: str,
        description: str = "",
        *,
        times: int | None = None,
        manner: Literal["refuse", "detach"] = "refuse",
        **traits: Unpack[LinkTraits],
    ) -> Rule:
        """Let new links fail.

        Args:
            condition: The error condition.
            description: The sentence with it.
            times: How often; None is until the order is withdrawn.
            manner: ``refuse`` attaches without the terminus; ``detach`` attaches whole and detaches
                right after.
            traits: Which links are meant.

        Returns:
            The order, to withdraw it.
        """
        return self._order(Rule(manner, check_traits(traits), condition, description, times))

    def reject_events(
        self,
        condition: str = conditions.SERVER_BUSY,
        description: str = "The request was terminated because the entity is being throttled.",
        *,
        times: int | None = None,
        **traits: Unpack[LinkTraits],
    ) -> Rule:
        """Reject what producers send; a batch counts once."""
        check_traits(traits)
        return self._order(
            Rule("reject", {"kind": "producer", **traits}, condition, description, times)
        )

    def hold_events(self, **traits: Unpack[LinkTraits]) -> Rule:
        """Deliver no events; links, heartbeats and management stay as they are."""
        check_traits(traits)
        return self._order(Rule("hold", {"kind": "consumer", **traits}))

    def reject_tokens(
        self,
        status: int = 401,
        description: str = "InvalidSignature: The token has an invalid signature.",
        *,
        times: int | None = None,
    ) -> TokenRule:
        """Answer tokens with a status instead of judging them."""
        rule = TokenRule(status, description, times)
        self._service.rules.tokens.append(rule)
        return rule

    def _order(self, rule: Rule) -> Rule:
        self._service.rules.links.append(rule)
        return rule

    def withdraw(self, rule: Rule | TokenRule) -> None:
        """Take one order back; one that is withdrawn already does not matter."""
        rules = self._service.rules
        if isinstance(rule, TokenRule):
            rules.tokens = [kept for kept in rules.tokens if kept is not rule]
        else:
            rules.links = [kept for kept in rules.links if kept is not rule]
        self._pump()

    def clear(self) -> None:
        """Take all orders back, and thaw."""
        self._service.rules.links.clear()
        self._service.rules.tokens.clear()
        self.unstall()
        self._pump()

    def _pump(self) -> None:
        for connection in tuple(self._connections):
            connection.schedule(connection.pump)

    def revoke_key(self, new_key: str | None = None) -> str:
        """Replace the access key; tokens signed with the old one are refused from now on.

        Returns:
            The new key.
        """
        return self._service.policy.replace_key(new_key)

    def expire_tokens(self) -> None:
        """Let all tokens put so far expire now, with what the service then does to the links."""
        for connection in tuple(self._connections):
            connection.grants.clear()
            connection.expire()
