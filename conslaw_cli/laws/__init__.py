"""The search for polynomial conservation laws."""
