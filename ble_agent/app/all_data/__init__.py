"""All data: what this device holds about its owner, in one file for the owner to take away.

There are two forms: a page that any browser shows and another device reads (`page`), and an
archive of plain files (`archive`).
"""

from ble_agent.app.all_data.archive import HELD, all_data_to_download, export_all
from ble_agent.app.all_data.page import export_page, page_to_download

__all__ = ["HELD", "all_data_to_download", "export_all", "export_page", "page_to_download"]
