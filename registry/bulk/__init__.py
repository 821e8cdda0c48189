"""Files of records: uploaded in parts over weak links, registered in chunks, resumed after anything."""
