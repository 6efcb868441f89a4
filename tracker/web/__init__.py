"""HOW IT IS SHOWN. Blueprints, forms, access, error table; static files."""
