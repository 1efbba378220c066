"""How facts travel from who states them to who acts on them."""
