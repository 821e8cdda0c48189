"""Emergency access (break-glass): basic information, minutes, told to the patient, and every case reviewed."""
