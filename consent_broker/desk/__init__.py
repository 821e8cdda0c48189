"""Face to face: the roads on which a patient at an establishment answers what is asked of them."""
