"""Digital signatures of documents that stay elsewhere: what a signature says is checked against the document's hash."""
