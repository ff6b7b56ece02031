"""LevelDB folders, read only, with the checksum and the compression that they use."""

from ble_agent.store.importers.leveldb.files import is_leveldb, read_leveldb

__all__ = ["is_leveldb", "read_leveldb"]
