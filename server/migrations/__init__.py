"""Steps of the database's schema, run by `server.store.database.Database.migrate`."""
