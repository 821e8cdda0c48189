"""The data steward's pages: the worklist, a case side by side, decisions, a person's history, a new model's report."""
