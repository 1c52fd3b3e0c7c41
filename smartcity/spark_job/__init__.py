"""Runs inside Spark: read every topic in one query, parse strictly, publish exactly once.

    ids.py       event ids as 128-bit numbers; the memory of ids already stored
    exact.py     what a good event is, one record at a time: the definition, and the source of every reason
    parse.py     the same for thousands of records at once, in Arrow; doubtful records go to exact.py
    store.py     the few S3 operations the protocol needs, conditional writes among them
    commits.py   the commit object of a micro-batch
    publish.py   a micro-batch becomes files, in an order that survives a kill at any point
    lease.py     one stream per checkpoint
    query.py     the streaming query itself

Imports pyspark, pyarrow, numpy, and of this project only `events`, `layout` and `errors`: it travels to a cluster.
"""
