"""Standing orders to fail: which links, tokens and events the emulator refuses, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from .witness import LinkKind, LinkRecord

Action = Literal["refuse", "detach", "reject", "hold"]


class LinkTraits(TypedDict, total=False):
    """Which links are meant; a trait that is not given matches every link."""

    kind: LinkKind
    hub: str
    consumer_group: str
    partition: str
    link: int


def check_traits(traits: LinkTraits) -> LinkTraits:
    """Return the traits.

    Raises:
        TypeError: When one is none that links have, which would match no link for ever.
    """
    unknown = traits.keys() - LinkTraits.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"links have no trait {', '.join(sorted(unknown))}; "
            f"they have {', '.join(LinkTraits.__annotations__)}"
        )
    return traits


@dataclass(slots=True, eq=False)
class Rule:
    """One standing order about links.

    Attributes:
        action: ``refuse`` attaches with the condition and no terminus; ``detach`` attaches, then
            detaches with the condition at once; ``reject`` answers published events with the
            condition; ``hold`` delivers no events.
        traits: Which links are meant.
        condition: The error condition for the client.
        description: The sentence for the client.
        times: How often the order still holds; None is without end.
    """

    action: Action
    traits: LinkTraits
    condition: str = ""
    description: str = ""
    times: int | None = None


@dataclass(slots=True, eq=False)
class TokenRule:
    """A standing order to answer tokens with a status, ``times`` more times or without end."""

    status: int
    description: str
    times: int | None = None


@dataclass(slots=True)
class Rules:
    """The standing orders in force.

    Attributes:
        links: Orders about links; the first that matches is obeyed.
        tokens: Orders about tokens.
    """

    links: list[Rule] = field(default_factory=list)
    tokens: list[TokenRule] = field(default_factory=list)

    def for_link(self, action: Action, record: LinkRecord) -> Rule | None:
        """Return the order of that kind for a link, and count it as obeyed."""
        for rule in self.links:
            if rule.action == action and rule.times != 0 and record.matches(**rule.traits):
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    def for_token(self) -> TokenRule | None:
        """Return the order for a token, and count it as obeyed."""
        for rule in self.tokens:
            if rule.times != 0:
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None
