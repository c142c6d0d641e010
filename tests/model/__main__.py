"""Writes the tables of `README.md` anew."""

from tests.model.tables import (
    README,
    VARIANTS_HEAD,
    WORLDS_HEAD,
    replace,
    search_variant,
    search_world,
    variant_row,
    world_row,
)
from tests.model.variants import VARIANTS
from tests.model.worlds import WORLDS

text = README.read_text()
text = replace(text, WORLDS_HEAD, [world_row(name, search_world(name)) for name in WORLDS])
text = replace(text, VARIANTS_HEAD, [variant_row(variant, search_variant(variant)) for variant in VARIANTS])
README.write_text(text)
