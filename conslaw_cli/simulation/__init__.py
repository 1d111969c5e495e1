"""Training in numbers: what discrete steps and integrated flows do to the known laws."""
