"""Catalogues: they say what music there is and fetch none of it. Each implements `shared.ports.Catalogue`."""
