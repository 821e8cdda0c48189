"""`./renhice match`: the engine over files, for those who hold records in a table and want to know who is who."""
