"""Requests on one link, answers on its sister (AMQP Management 1.0 WD 9, section 3)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..amqp import message
from ..amqp.performatives import Target
from ..link import Inlet, Outlet

if TYPE_CHECKING:
    from ..amqp.performatives import Attach
    from ..link import Channel
    from ..witness import LinkRecord

_MAX_WAITING = 1000


class ReplyLink(Outlet):
    """The link on which the client waits for answers."""

    def __init__(self, channel: Channel, attach: Attach, record: LinkRecord) -> None:
        super().__init__(channel, attach, record)
        # Who waits for credit longer than this many answers long is not read by anyone.
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING)
        self.address = attach.target.address if isinstance(attach.target, Target) else None
        channel.replies.setdefault(record.address, []).append(self)

    def released(self) -> None:
        """Take the link out of those that answers go to."""
        self.channel.replies[self.record.address].remove(self)

    def post(self, octets: bytes) -> None:
        """Send an answer, as soon as there is credit."""
        self._waiting.append(octets)
        self.pump()

    def pump(self) -> None:
        """Send the answers that wait."""
        while self._waiting and self.ready:
            self.send_message(self._waiting.popleft())


class RequestLink(Inlet):
    """The link on which the client asks."""

    def on_message(self, octets: bytes, message_format: int) -> None:
        """Answer a request on the reply link it names, or on the node's only one."""
        request = message.parse(octets)
        links = self.channel.replies.get(self.record.address, [])
        named = [link for link in links if link.address == request.reply_to]
        answer = self.answer(request)
        for link in (named or links)[-1:]:
            link.post(answer)

    def answer(self, request: message.Message) -> bytes:
        """Return the encoded answer."""
        raise NotImplementedError
