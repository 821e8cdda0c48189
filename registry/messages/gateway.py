"""Text messages over an operator's HTTP interface: JSON, a bearer secret, an idempotency key."""

from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from registry.breaker import Breakers
from registry.messages.port import Letter, NotSent, SmsGateway
from registry.settings import Settings

PATH = "/v1/messages"


@dataclass(frozen=True, slots=True)
class HttpSmsGateway:
    """`POST {url}/v1/messages` with `to`, `from`, `text`; 2xx is taken, 4xx never will be, the rest is tried again."""

    http: httpx.Client
    url: str
    token: SecretStr
    sender: str
    breakers: Breakers = field(default_factory=Breakers)

    def send(self, key: str, letter: Letter) -> None:
        """Hand a message over; raises NotSent."""
        if not self.breakers.allows(PATH):
            raise NotSent("resting")
        try:
            self._post(key, letter)
        except NotSent as error:
            self.breakers.report(PATH, success=error.final)
            raise
        self.breakers.report(PATH, success=True)

    def _post(self, key: str, letter: Letter) -> None:
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}", "Idempotency-Key": key}
        body = {"to": letter.to, "from": self.sender, "text": letter.text}
        try:
            answer = self.http.post(f"{self.url}{PATH}", json=body, headers=headers)
        except httpx.HTTPError as error:
            raise NotSent(type(error).__name__) from None
        if answer.status_code in {401, 403, 408, 429} or answer.status_code >= 500:
            raise NotSent(f"status-{answer.status_code}")
        if not answer.is_success:
            raise NotSent(f"status-{answer.status_code}", final=True)


def make_sms_gateway(settings: Settings) -> SmsGateway | None:
    """The gateway of the settings; None where none is configured: nobody is sent anything, and pages say so."""
    if settings.sms_url is None or settings.sms_token is None:
        return None
    http = httpx.Client(timeout=settings.sms_timeout_seconds, follow_redirects=False, trust_env=False)
    return HttpSmsGateway(http, settings.sms_url, settings.sms_token, settings.sms_sender)
