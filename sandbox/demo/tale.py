"""The story, step by step: from a registration to a refused reading, each step checked."""

import csv
import io
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from sandbox.demo.browser import Browser, Page
from sandbox.demo.patient import sign_in
from sandbox.demo.reading import csv_link, diagnosis, full_name, line_of, values_of
from sandbox.demo.record_system import RecordSystem
from sandbox.demo.telling import Teller

Json = dict[str, Any]
READ = {"AllergyIntolerance": "allergies", "MedicationStatement": "medications", "Encounter": "encounters"}
HELD = {"AllergyIntolerance": 2, "MedicationStatement": 2, "Encounter": 3}
CATEGORY_WORDS = ("Alergias", "Medic", "Atenciones")
MONTHS = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
    *("julio", "agosto", "setiembre", "octubre", "noviembre", "diciembre"),
)
LIMA = timezone(timedelta(hours=-5))
FIGURES_WAIT = 60.0


def _in_three_days() -> datetime:
    """Return six in the evening in Lima, three days from now."""
    return (datetime.now(LIMA) + timedelta(days=3)).replace(hour=18, minute=0, second=0, microsecond=0)


@dataclass(slots=True)
class Memory:
    """What one step leaves for the next."""

    person: str = ""
    launch: str = ""
    until: datetime = field(default_factory=_in_three_days)
    grant: dict[str, str] = field(default_factory=dict)


class Tale:
    """One telling over a running system, described by its `sandbox.json`."""

    def __init__(self, summary: Json, teller: Teller) -> None:
        places = {place["renipress"]: place for place in summary["establishments"]}
        self._summary, self._teller = summary, teller
        self._story: Json = summary["story"]
        self._base_url: str = summary["base_url"]
        self._a = RecordSystem(self._base_url, places[self._story["asking"]["renipress"]], teller)
        self._b = RecordSystem(self._base_url, places[self._story["holding"]["renipress"]], teller)
        self._patient_browser = Browser(teller.heard)
        self._memory = Memory()
        self._feed: dict[str, str] = {}

    def tell(self) -> None:
        """Tell all of it; raises NotAsTold at the first difference."""
        self.register()
        self.meet_the_other_record()
        self.match()
        self.locate()
        self.ask()
        self.grant()
        self.fetch()
        self.knock_at_the_holder()
        self.see_who_read()
        self.export_figures()
        self.revoke()
        self.fetch_in_vain()
        self.see_the_refusal()

    def register(self) -> None:
        """A registers the patient who has just arrived."""
        teller, asking = self._teller, self._story["asking"]
        teller.step(f"A patient arrives at {self._name(self._a)}: its record system registers her")
        self._feed = self._a.token("system/Patient.cu system/Patient.rs")
        answer = self._a.register(self._feed, asking["local_number"], asking["patient"])
        teller.check_status(answer, 200, 201)
        teller.check("/fhir/Patient/" in answer.headers.get("Location", ""), "a Location", answer.headers)
        teller.note(f"A wrote: {full_name(asking['patient'])}, local number {asking['local_number']}")
        state = "a new source record" if answer.status_code == 201 else "known already, nothing changed"
        teller.shows(f"The registry acknowledged it: {state}.")

    def meet_the_other_record(self) -> None:
        """B had registered her years ago, by ear; sending it again changes nothing."""
        teller, holding = self._teller, self._story["holding"]
        teller.step(f"{self._name(self._b)} had registered her years ago, misspelt, and sends it once more")
        token = self._b.token("system/Patient.cu system/Patient.rs")
        answer = self._b.register(token, holding["local_number"], holding["patient"])
        teller.check_status(answer, 200)
        teller.note(f"B wrote: {full_name(holding['patient'])}, local number {holding['local_number']}")
        teller.shows("The same message again changes nothing: record systems may repeat themselves after a failure.")

    def match(self) -> None:
        """$match and $ihe-pix show one person with two local numbers."""
        teller, asking = self._teller, self._story["asking"]
        teller.step("A looks for her: one person, two local numbers")
        wanted = {key: value for key, value in asking["patient"].items() if key != "identifier"}
        wanted["identifier"] = asking["patient"]["identifier"][1:]
        found = teller.check_status(self._a.match(self._feed, wanted), 200).json().get("entry", [])
        teller.check(bool(found), "$match to find her", found)
        best = found[0]
        self._memory.person = best["resource"]["id"]
        teller.note(f"best match: person {self._memory.person}, score {best['search'].get('score')}")
        pix = teller.check_status(self._a.cross_reference(self._feed, asking["local_number"]), 200).json()
        numbers = [f"{i.get('system')}|{i.get('value')}" for i in values_of(pix, "valueIdentifier")]
        other = f"{self._b.establishment['identifier_system']}|{self._story['holding']['local_number']}"
        teller.check(other in numbers, f"$ihe-pix to name {other}", pix)
        persons = [reference.get("reference", "") for reference in values_of(pix, "valueReference")]
        teller.check(any(self._memory.person in p for p in persons), "$ihe-pix to name the same person", pix)
        teller.shows("The misspelt records of two establishments were recognised as one person.")

    def locate(self) -> None:
        """$patient-location names both establishments."""
        teller = self._teller
        teller.step("A asks where her records are")
        answer = teller.check_status(self._a.locate(self._feed, self._memory.person), 200)
        for system in (self._a, self._b):
            teller.check(system.establishment["renipress"] in answer.text, f"{self._name(system)} there", answer.text)
        teller.shows("Both establishments hold records; what is in them, the registry does not know.")

    def ask(self) -> None:
        """The professional asks for access, to the least that is needed, for three days."""
        teller, professional = self._teller, self._story["professional"]
        teller.step("The physician asks her for access")
        wanted = {
            "person": self._memory.person,
            "professional": {"college": professional["college"], "number": professional["number"]},
            "purpose": "TREAT",
            "categories": list(READ.values()),
            "until": self._memory.until.isoformat(),
        }
        answer = teller.check_status(self._a.ask_access(self._a.token("access-request"), wanted), 200, 201)
        self._memory.launch = answer.json()["id"]
        teller.check(answer.json().get("status") == "pending", "a pending request", answer.text)
        denied = self._a.fetch({}, "AllergyIntolerance", self._memory.person)
        teller.check_status(denied, 401)
        teller.shows(
            "The request waits for her. Without her answer there is no token; without a token nothing is read."
        )

    def grant(self) -> None:
        """She signs in at ID Perú, reads the consent page and grants; A redeems the code."""
        teller, browser = self._teller, self._patient_browser
        teller.step("Her browser goes to the registry: she signs in at ID Perú, reads who asks for what, and grants")
        scope = " ".join(f"patient/{kind}.rs" for kind in READ)
        authorization = self._a.authorization(self._memory.launch, scope)
        page = self._sign_in(browser, browser.open(authorization.url), self._story["patient"])
        self._check_consent_page(page)
        returned = browser.submit(page, page.form("/autorizar/"), button="permitir")
        answer = returned.url.params
        teller.check(returned.url.path == "/sihce/callback", "the browser back at A", f"{returned.url} {returned.text}")
        teller.check(answer.get("state") == authorization.state, "A's own state")
        teller.check(answer.get("iss") == self._base_url, "the registry's iss (RFC 9207)", answer.get("iss"))
        redeemed = teller.check_status(self._a.redeem(answer["code"], authorization.verifier), 200).json()
        teller.check(redeemed["expires_in"] <= 300, "a token of at most 300 s", redeemed["expires_in"])
        bound = redeemed["token_type"]
        teller.check(bound == "DPoP", "a token bound to A's key", bound)
        self._memory.grant = {"Authorization": f"DPoP {redeemed['access_token']}"}
        teller.shows(f"She granted it. A holds a token for {redeemed['expires_in']} s, for: {redeemed['scope']}.")

    def fetch(self) -> None:
        """A fetches what only B holds, through the gateway."""
        teller = self._teller
        teller.step(f"A fetches what only {self._name(self._b)} holds, through the registry")
        holder = self._b.establishment["fhir_endpoint"]
        for kind, least in HELD.items():
            answer = self._a.fetch(self._memory.grant, kind, self._memory.person)
            entries = teller.check_status(answer, 200).json().get("entry", [])
            found = [e["resource"] for e in entries if e["resource"]["resourceType"] == kind]
            ours = [r for r in found if r.get("meta", {}).get("source", "").startswith(holder)]
            teller.check(len(ours) >= least, f"{least} {kind} of B", answer.text)
            for resource in ours:
                teller.note(line_of(resource))
        teller.shows("The record passed through the registry; each item names its origin. Nothing was kept on the way.")

    def knock_at_the_holder(self) -> None:
        """B refuses whoever comes without a token, or with one for somebody else."""
        teller, endpoint = self._teller, self._b.establishment["fhir_endpoint"]
        teller.step("Could A have gone to B by itself?")
        teller.check_status(self._a.knock(endpoint, "AllergyIntolerance", {}), 401)
        teller.check_status(self._a.knock(endpoint, "AllergyIntolerance", self._memory.grant), 401)
        teller.shows("No: B refuses without a token, and refuses a token made for another audience.")

    def see_who_read(self) -> None:
        """She sees where her records are and who read them."""
        teller, browser = self._teller, self._patient_browser
        teller.step("She looks at her portal")
        home = self._open(browser, "/mi-historia")
        teller.check_words(home.text, (self._name(self._a), self._name(self._b)), "her page")
        accesses = self._open(browser, "/mi-historia/accesos")
        teller.check_words(accesses.text, (self._physician(), "Permitido"), "the list of accesses")
        teller.shows(f"She sees where her records are, and that {self._physician()} read them.")

    def export_figures(self) -> None:
        """The analyst exports figures that show nobody."""
        teller, browser = self._teller, Browser(self._teller.heard)
        teller.step("An analyst exports the figures")
        entry = browser.open(f"{self._base_url}/ingresar?como=analista")
        page = self._sign_in(browser, entry, self._story["analyst"])
        teller.check(page.url.path == "/estadisticas", "the analyst at the figures", page.text)
        until = time.monotonic() + FIGURES_WAIT
        while not csv_link(page) and time.monotonic() < until:
            time.sleep(5)
            page = self._open(browser, "/estadisticas")
        self._export(browser, page)
        others = [link for link in page.links if link.startswith("/estadisticas?")]
        teller.check(len(others) >= 2, "figures by sex and age group too", page.links)
        for link in others:
            self._export(browser, browser.open(f"{self._base_url}{link}"))
        teller.shows("Persons by region, sex and age group, rounded, small numbers suppressed: they expose nobody.")

    def _export(self, browser: Browser, page: Page) -> None:
        """Download the file of one view, and check that no figure in it is small or exact."""
        teller = self._teller
        link = csv_link(page)
        teller.check(bool(link), "a file to download", page.text)
        file = teller.check_status(browser.download(f"{self._base_url}{link}"), 200)
        rows = list(csv.reader(io.StringIO(file.text.lstrip("\ufeff"))))[1:]
        figures = [row[-1] for row in rows]
        told = [row for row in rows if row[-1] != "0"]
        teller.check(bool(told), "figures in the file", file.text)
        safe = all(figure == "*" or int(figure) % 5 == 0 for figure in figures)
        teller.check(safe, "every figure rounded to 5 or suppressed", file.text)
        teller.note("; ".join(f"{row[-2]}: {row[-1]}" for row in told))

    def revoke(self) -> None:
        """She withdraws the permission in the portal."""
        teller, browser = self._teller, self._patient_browser
        teller.step("She withdraws her permission")
        page = self._open(browser, "/mi-historia/permisos")
        teller.check(page.has_form("/retirar"), "a permission to withdraw", page.text)
        while page.has_form("/retirar"):
            done = browser.submit(page, page.form("/retirar"))
            teller.check(done.status == 200 and "retirado" in done.text.lower(), "a receipt", done.text)
            page = self._open(browser, "/mi-historia/permisos")
        teller.shows("Withdrawn, with a receipt.")

    def fetch_in_vain(self) -> None:
        """The same fetch, with the same token, is refused at once."""
        teller = self._teller
        teller.step("A tries the same fetch again")
        answer = self._a.fetch(self._memory.grant, "AllergyIntolerance", self._memory.person)
        teller.check_status(answer, 403)
        teller.check(answer.json().get("resourceType") == "OperationOutcome", "an OperationOutcome", answer.text)
        teller.note(diagnosis(answer.json()))
        teller.shows("Refused at once, although the token had not expired.")

    def see_the_refusal(self) -> None:
        """The refusal is on her page too."""
        teller = self._teller
        teller.step("She looks again at who read her records")
        page = self._open(self._patient_browser, "/mi-historia/accesos")
        first = page.text.partition("Resultado")[2].partition("Permitido")[0]
        teller.check("Rechazado" in first, "the refusal as the newest access", page.text)
        teller.shows("The refused attempt is in her log as well.")

    def _check_consent_page(self, page: Page) -> None:
        until = self._memory.until
        day = f"{until.day} de {MONTHS[until.month - 1]} de {until.year}, {until:%H:%M}"
        self._teller.check(page.url.path.startswith("/autorizar/"), "the consent page", f"{page.url.path} {page.text}")
        words = (self._physician(), self._name(self._a), *CATEGORY_WORDS, day)
        self._teller.check_words(page.text, words, "the consent page")
        self._teller.note(f"the page says: {self._physician()}, {self._name(self._a)}, until {day}")

    def _sign_in(self, browser: Browser, page: Page, document: Json) -> Page:
        """Sign in at ID Perú."""
        page = sign_in(browser, page, self._person(document))
        self._teller.check(page.status == 200, "to be signed in", f"{page.url.path} {page.text}")
        return page

    def _open(self, browser: Browser, path: str) -> Page:
        page = browser.open(f"{self._base_url}{path}")
        seen = f"{page.status} at {page.url.path}: {page.text}"
        self._teller.check(page.status == 200 and page.url.path == path, f"{path} to open", seen)
        return page

    def _person(self, document: Json) -> Json:
        return next(p for p in self._summary["people"] if p["document"] == document)

    def _physician(self) -> str:
        name: str = self._person(self._story["professional"]["document"])["name"]
        return name

    @staticmethod
    def _name(system: RecordSystem) -> str:
        name: str = system.establishment["name"]
        return name
