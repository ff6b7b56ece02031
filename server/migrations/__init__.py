"""The database's schema, step by step; `server.store.database.Database.migrate` runs the steps."""
