"""What a record system can ask to be told of: subscription topics, each with its canonical URL."""

from registry.fhir.systems import BASE

LINK, MERGE, SPLIT, CONSENT, REVOCATION = "link", "merge", "split", "consent", "revocation"
TOPICS = {
    LINK: "Another record was linked to one of your patients, or one of yours to a person known elsewhere",
    MERGE: "Two persons were found to be one, and you hold a record of one of them",
    SPLIT: "A record left a person, and you hold a record of where it was or where it went",
    CONSENT: "One of your patients permits your establishment something",
    REVOCATION: "One of your patients takes back what they had permitted your establishment",
}


def canonical(topic: str) -> str:
    """The canonical URL of a topic, which a Subscription names as its criteria."""
    return f"{BASE}/SubscriptionTopic/{topic}"


def topic_of(url: str) -> str | None:
    """The topic a canonical URL names; None for any other."""
    return next((topic for topic in TOPICS if canonical(topic) == url), None)
