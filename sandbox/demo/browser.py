"""A browser without a screen: cookies, redirects and the forms of pages, filled in as a person would."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from sandbox.trust import trust

MAX_HOPS = 15


class NoSuchForm(Exception):
    """The page holds no form of that action, or no such button."""


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, what it holds, which buttons send it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects the forms, links and words of the page it is fed."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(found.get("action", ""), found.get("method", "get").lower()))
        elif tag in {"input", "button"} and self.forms and found.get("name"):
            self._control(tag, found)
        elif tag == "a":
            self.links.append(found.get("href", ""))
        self._silent += tag in {"script", "style"}

    def _control(self, tag: str, found: dict[str, str]) -> None:
        kind = found.get("type", "submit" if tag == "button" else "text")
        if kind == "submit":
            self.forms[-1].buttons.append((found["name"], found.get("value", "")))
        elif kind not in {"checkbox", "radio"} or "checked" in found:
            self.forms[-1].fields[found["name"]] = found.get("value", "on" if kind == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.extend(data.split())


@dataclass(frozen=True, slots=True)
class Page:
    """Where the browser is and what stands there."""

    url: httpx.URL
    status: int
    body: str
    text: str
    forms: tuple[Form, ...]
    links: tuple[str, ...]

    def form(self, action: str) -> Form:
        """Return the form whose action contains `action`; raises NoSuchForm."""
        found = next((form for form in self.forms if action in form.action), None)
        if found is None:
            raise NoSuchForm(f"no form to {action} at {self.url.path}: {self.text[:300]}")
        return found

    def has_form(self, action: str) -> bool:
        """Whether the page holds a form to `action`."""
        return any(action in form.action for form in self.forms)


class Browser:
    """One person's browser; `heard` is told every response."""

    def __init__(self, heard: Callable[[httpx.Response], None]) -> None:
        agent = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) Firefox/140.0", "Accept": "text/html"}
        self._http = httpx.Client(verify=trust(), timeout=30, headers=agent, event_hooks={"response": [heard]})

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def open(self, url: str) -> Page:
        """Go to an address, following redirects."""
        return self._arrive(self._http.get(url))

    def submit(self, page: Page, form: Form, button: str = "", **typed: str) -> Page:
        """Fill in a form of a page and press a button (by its value), following redirects."""
        pressed = [pair for pair in form.buttons if pair[1] == button]
        if button and not pressed:
            raise NoSuchForm(f"no button {button} in {form.action}")
        target = urljoin(str(page.url), form.action)
        values = form.fields | typed | dict(pressed)
        if form.method == "get":
            return self._arrive(self._http.get(target, params=values))
        origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
        return self._arrive(self._http.post(target, data=values, headers={"Origin": origin}))

    def download(self, url: str) -> httpx.Response:
        """Fetch a file."""
        return self._http.get(url)

    def _arrive(self, response: httpx.Response) -> Page:
        for _ in range(MAX_HOPS):
            if response.next_request is None:
                return _read(response)
            response = self._http.send(response.next_request)
        raise NoSuchForm(f"too many redirects, the last to {response.url.path}")


def _read(response: httpx.Response) -> Page:
    reader = Reader()
    reader.feed(response.text)
    return Page(
        url=response.url,
        status=response.status_code,
        body=response.text,
        text=" ".join(reader.words),
        forms=tuple(reader.forms),
        links=tuple(reader.links),
    )
