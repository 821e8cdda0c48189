"""What a patient does in a browser, for programs: signing in at ID Perú, and permitting what is asked."""

from contextlib import closing
from typing import Any

import httpx

from sandbox.demo.browser import Browser, Page


def sign_in(browser: Browser, page: Page, person: dict[str, Any]) -> Page:
    """Sign in at ID Perú as one of the sandbox's people: password, then the code or PIN when it is asked for."""
    page = browser.submit(
        page, page.form("/service/login"), dni=person["document"]["number"], password=person["password"]
    )
    if page.has_form("/service/factor"):
        page = browser.submit(page, page.form("/service/factor"), code=person["pin" if "PIN" in page.text else "otp"])
    return page


def permit(summary: dict[str, Any], url: str) -> httpx.URL:
    """Be the story's patient at an authorization page: sign in, permit all of it; where the browser is sent back to."""
    document = summary["story"]["patient"]
    person = next(one for one in summary["people"] if one["document"] == document)
    with closing(Browser(lambda _: None)) as browser:
        page = sign_in(browser, browser.open(url), person)
        return browser.submit(page, page.form("/autorizar/"), button="permitir").url
