"""What is asked and what is answered: a problem, and the records that a count of its laws ends in.

Nothing is imported here: the records are needed where no network is.
"""
