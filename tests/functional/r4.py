"""The product's FHIR answers held against the models of R4, whoever asks for them in whatever test."""

import json
import re
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from werkzeug.test import TestResponse

PASSED_ON = re.compile(r"/exchange/fhir/(?!DocumentReference)[A-Z][a-zA-Z]+(/_search)?(\?|$)")
"""Where holders' records are answered as they sent them: what is ours is the Bundle and what it says of its own."""


def valid(path: str, answer: TestResponse) -> TestResponse:
    """The answer; its resource and those in it are what their type says, or the test fails."""
    if answer.mimetype == "application/fhir+json" and answer.data:
        body: dict[str, Any] = json.loads(answer.data)
        if "entry" in body and PASSED_ON.match(path):
            ours = [one for one in body["entry"] if one["resource"]["resourceType"] == "OperationOutcome"]
            body = {**body, "entry": ours or None}
        get_fhir_model_class(body["resourceType"]).model_validate(body)
    return answer
