"""InfluxDB, for the operators' room: what was measured and concluded, as points.

    lines       facts to points in line protocol (pure; the table is schemas/points.py)
    settings    which InfluxDB, and how to reach it
    writer      points confirmed, or refused one by one with the reason
    setup       buckets, downsampling, tokens
    pause       how long to wait while it is away
    letters     dead letters of refused points
    taking      Kafka's records to lines (pure)
    sink        from Kafka's topics
    outbox      what the embedded runner said and InfluxDB has not confirmed
    feed        from the embedded runner
    runs        from a replay, under a name of its own
    held        what is there, by id, for the ledger
    figures     our own figures, from the pages of all parts

docs/influx.md tells how it is run, docs/decisions/ how points never collide.
"""
