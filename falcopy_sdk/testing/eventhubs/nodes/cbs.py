"""``$cbs``: clients put tokens, links are allowed by them.

"AMQP Claims-based Security Version 1.0" WD 5 and Azure's AMQP protocol guide.
"""

from __future__ import annotations

from ..access import Verdict
from ..amqp import message
from ..witness import TokenRecord
from .request_response import RequestLink


class TokenLink(RequestLink):
    """Takes ``put-token`` requests."""

    def answer(self, request: message.Message) -> bytes:
        """Judge the token, remember the grant, and answer 202 or why not."""
        fields = request.application_properties
        operation, audience = fields.get("operation"), fields.get("name")
        if operation != "put-token" or not isinstance(audience, str):
            return message.encode_response(
                request, 400, f"Expected put-token with a name, got {operation!r}, {audience!r}."
            )
        service, kind = self.channel.service, str(fields.get("type"))
        rule = service.rules.for_token()
        if rule is not None:
            verdict = Verdict(rule.status, rule.description)
        else:
            verdict = service.policy.check(kind, request.value, audience, fields.get("expiration"))
        if verdict.status < 300:
            self.channel.grants.add(audience, verdict.expires)
            self.channel.schedule_at(verdict.expires, self.channel.expire)
        service.witness.tokens.append(
            TokenRecord(
                self.channel.connection_number, audience, kind, verdict.status, verdict.expires
            )
        )
        service.witness.changed()
        return message.encode_response(request, verdict.status, verdict.description)
