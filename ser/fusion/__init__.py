"""How what is heard and what is said become one decision."""
