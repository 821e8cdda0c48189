"""Web pages for patients, professionals and analysts."""
