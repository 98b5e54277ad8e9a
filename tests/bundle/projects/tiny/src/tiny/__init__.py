"""A plugin that tells which libraries its Python runs with."""
