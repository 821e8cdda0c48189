"""The registry as the kit plays it: an issuer of tokens and a feed of patients, with what it saw of the candidate."""
