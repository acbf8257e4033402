"""The same thinking, carried by Kafka: for the city that outgrew one process.

    settings    which Kafka, and how to reach it
    topics      the topic table on a broker: made, or compared
    records     keys, partitions and headers of what is written
    state       snapshots on a compacted topic
    collecting  messages in; frames, time and dead letters out, a transaction a batch
    stages      the thinking cut into the parts that partitions carry, and detection (pure)
    correlating alarms to incidents and notifications, domain by domain, and joined (pure)
    plan        which part is where on a Kafka
    host        what one host needs, as services for the supervisor
    carrier     what every shell shares: parts, states, outputs
    faustworker the shell on Faust (default)
    worker      the shell on plain confluent-kafka
    reading     a topic from outside, no group touched
    replaying   the readings of all partitions through the stages, in one process
    ledger      what is missing, unexplained or there twice, by id
    letters     dead letters: found, shown, sent again
    membership  a worker's place in its group, given up for it
    progress    whether a group gets on, seen from outside its members
    watchdog    ends a worker that makes no progress

docs/kafka.md tells how it is run, docs/decisions/0009-time-is-written-into-the-log.md how time gets through.
"""
