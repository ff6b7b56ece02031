"""bluetoothd."""
