"""Take-over: data of earlier apps, found by content, shown, and added with one press."""
