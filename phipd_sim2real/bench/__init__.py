"""Measurements that the project's claims rest on, each made by one command from nothing but configurations."""
