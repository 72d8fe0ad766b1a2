"""Processes elsewhere that compute what they are given: on this machine or on others, behind one protocol.

Nothing here knows what is computed: a task is a function, the things that it needs, which are sent to a worker once,
and a few arguments. Tasks are pure functions, so that one which was lost with its worker is simply given to another.
"""
