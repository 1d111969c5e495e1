"""Conservation laws of gradient flows, counted, found and certified."""

__version__ = "0.1.0"
