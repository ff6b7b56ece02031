"""The database's schema, step by step; `server.database.Database.migrate` runs the steps."""
