"""Who may read what: consents, authorization server, gateway, resource-server guard."""
